import { afterEach } from 'vitest'
import { asId, type TenantId } from '../../kernel/ids.ts'
import { z } from '../../kernel/schema.ts'
import { bearerTokenOf } from './bearer-token.ts'
import { type Route, route } from './route.ts'
import { createServer, type HttpServer, type ServerOptions } from './server.ts'

/** Closed after each test. */
export const open: HttpServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close({ graceMs: 100 })
})

export const principal = { id: 'tester', tenant: asId<TenantId>('default'), permissions: ['*'] }
/** What the principal shows. */
export const auth = { authorization: 'Bearer lvt_right' }

/** A server that is closed after the test. */
export function serverOf(routes: readonly Route[], options: Partial<ServerOptions> = {}): HttpServer {
  const server = createServer({ routes, authenticate: bearerTokenOf('lvt_right', principal), ...options })
  open.push(server)
  return server
}

/** A public route that answers a long text. */
export const at = (path: `/${string}`, extra: object = {}) =>
  route({
    ...{ method: 'GET', path, permission: 'public', output: z.object({ text: z.string(), rev: z.int().optional() }) },
    ...extra,
    handle: () => ({ text: 'word '.repeat(1_000), rev: 7 }),
  })
