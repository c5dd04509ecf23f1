import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { z } from 'zod'
import { createGatewayRoute, showGatewayStats } from '../../src/contract.ts'
import type { RouteFigures } from '../../src/external-api/gateway/managed/gateway-contract.ts'
import type { writeGatewayRouteSchema } from '../../src/external-api/gateway/managed/route-definition-contract.ts'
import { makeTenant, startApi, type TestApi } from '../support/api.ts'
import { type DatabaseKind, openTestDatabase, type TestDatabase } from '../support/databases.ts'

export const openLimits = 'rateLimits: { ip: none, failures: none, key: none, tenant: none, route: none }\n'
export const localAllowed = `${openLimits}gateway: { allow: [127.0.0.1] }\n`

export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly body: string
}

export interface TestUpstream {
  readonly url: string
  readonly port: number
  readonly seen: Seen[]
  /** Connections that are open now. */
  readonly sockets: Set<Socket>
  close(): Promise<void>
}

/** `startUpstream`, and the end of all that were started. */
export function trackedUpstreams() {
  const open: TestUpstream[] = []
  const upstream: typeof startUpstream = async (...options) => {
    const made = await startUpstream(...options)
    open.push(made)
    return made
  }
  return { upstream, closeAll: () => Promise.all(open.splice(0).map((each) => each.close())) }
}

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void

/** A real server; by default it tells what it was asked. */
export async function startUpstream(handle: Handler = echo, options: { readonly readBody?: boolean } = {}) {
  const seen: Seen[] = []
  const sockets = new Set<Socket>()
  const server = createServer(async (incoming, response) => {
    let body = ''
    if (options.readBody !== false) {
      try {
        for await (const part of incoming.setEncoding('utf8')) body += part
      } catch {
        // Who sent it went away in the middle.
        return
      }
    }
    const { method = '', url = '', headers, rawHeaders } = incoming
    seen.push({ method, url, headers, rawHeaders, body })
    handle(incoming, response, body)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const upstream: TestUpstream = {
    url: `http://127.0.0.1:${port}`,
    port,
    seen,
    sockets,
    async close() {
      server.closeAllConnections()
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
  return Object.assign(upstream, { server })
}

function echo(request: IncomingMessage, response: ServerResponse, body: string): void {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }))
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly body: string
  /** Whether the answer came to its end. */
  readonly complete: boolean
}

export interface AskOptions {
  readonly method?: string
  readonly headers?: Record<string, string | string[]>
  readonly body?: string | Buffer
}

/** One request on a connection of its own. */
export async function ask(url: string, key: string | null, options: AskOptions = {}): Promise<Answer> {
  const outgoing = request(url, {
    method: options.method ?? 'GET',
    headers: { ...(key === null ? {} : { authorization: `Bearer ${key}` }), ...options.headers },
    agent: false,
  })
  const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>
  outgoing.end(options.body)
  const [response] = await answered
  let body = ''
  try {
    for await (const part of response.setEncoding('utf8')) body += part
  } catch {
    // It broke off; `complete` says so.
  }
  const { statusCode = 0, headers, rawHeaders, complete } = response
  return { status: statusCode, headers, rawHeaders, body, complete }
}

/** Writes bytes as they are and reads until the other side ends or `until` is seen. */
export async function speak(url: string, bytes: string, until?: RegExp): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.setEncoding('latin1')
  let text = ''
  await new Promise<void>((resolve) => {
    socket.on('data', (part: string) => {
      text += part
      if (until?.test(text) === true) resolve()
    })
    socket.once('close', () => resolve())
    socket.on('error', () => resolve())
    socket.write(bytes, 'latin1')
  })
  socket.destroy()
  return text
}

export type Wanted = z.input<typeof writeGatewayRouteSchema>

export interface TestGateway {
  readonly use: TestDatabase
  readonly api: TestApi
  readonly url: string
  readonly key: string
  readonly client: TestApi['owner']
  /** Makes a route with one upstream for each URL; the rest as given. Returns its id. */
  route(name: string, urls: readonly string[], more?: Partial<Wanted>): Promise<string>
  stats(name: string): Promise<RouteFigures>
  close(): Promise<void>
}

export async function openGateway(
  kind: DatabaseKind = 'pglite',
  yaml = localAllowed,
  work = false,
): Promise<TestGateway> {
  const use = await openTestDatabase(kind)
  const api = await startApi(use.db, { yaml, work })
  const { key, client } = await makeTenant(api, 'ten-a')
  return {
    use,
    api,
    url: `${api.server.localUrl}/gateway`,
    key,
    client,
    async route(name, urls, more = {}) {
      const upstreams = urls.map((url, n) => ({ name: `u${n + 1}`, url }))
      const body = { name, match: { path: `/${name}/*` }, targets: [{ name: 'main', upstreams }], ...more } as Wanted
      return (await client.call(createGatewayRoute, { body: body as never })).id
    },
    async stats(name) {
      return (await client.call(showGatewayStats, { query: { route: name } })).items[0]!
    },
    async close() {
      await api.close()
      await use.close()
    },
  }
}
