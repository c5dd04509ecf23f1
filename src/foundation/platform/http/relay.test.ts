import { afterEach, expect, test } from 'vitest'
import { defineErrors } from '../../kernel/errors.ts'
import type { TenantId } from '../../kernel/ids.ts'
import { bearerTokenOf } from './bearer-token.ts'
import { type FailureForm, type RelayReply, route } from './route.ts'
import { createServer, type HttpServer } from './server.ts'

const errors = defineErrors({
  'relay-test-refused': { kind: 'limit', retry: 'later', when: 'a test asks for it', next: 'nothing' },
})
const failure: FailureForm = (error, status) => ({
  mediaType: 'application/json',
  body: JSON.stringify({ error: { code: error.code, status } }),
  headers: { 'x-told': 'otherwise' },
})
const owner = { id: 'o', tenant: 'default' as TenantId, permissions: ['*'] }
const headers = { authorization: 'Bearer t' }
let server: HttpServer | null = null

afterEach(() => server?.close({ graceMs: 200 }))

async function serve(handle: (signal: AbortSignal) => Promise<RelayReply>): Promise<string> {
  const relay = route({
    ...({ method: 'POST', path: '/relay', permission: 'models:write', reply: 'relay', rawBody: true } as const),
    failure,
    handle: ({ signal }) => handle(signal),
  })
  server = createServer({ routes: [relay], authenticate: bearerTokenOf('t', owner) })
  return `${(await server.listen()).url}/relay`
}

test('status, headers and body of an answer are passed on', async () => {
  const url = await serve(async () => ({
    status: 418,
    headers: { 'content-type': 'text/plain', 'x-kept': '1' },
    body: 'short',
  }))
  const reply = await fetch(url, { method: 'POST', headers })
  expect([reply.status, reply.headers.get('x-kept'), await reply.text()]).toEqual([418, '1', 'short'])
})

test('pieces leave as they come, and a client that goes away ends the source', async () => {
  let closed!: () => void
  const ended = new Promise<void>((resolve) => {
    closed = resolve
  })
  const url = await serve(async (signal) => ({
    status: 200,
    headers: { 'content-type': 'text/event-stream' },
    body: (async function* () {
      try {
        yield 'data: first\n\n'
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      } finally {
        closed()
      }
    })(),
  }))
  const leave = new AbortController()
  const reply = await fetch(url, {
    method: 'POST',
    headers: { ...headers, 'accept-encoding': 'gzip' },
    signal: leave.signal,
  })
  const reader = reply.body!.getReader()
  expect(new TextDecoder().decode((await reader.read()).value)).toBe('data: first\n\n')
  leave.abort()
  await ended
})

test('failures are told in the form of the route, also before its handler', async () => {
  const url = await serve(async () => {
    throw errors['relay-test-refused']('no')
  })
  const refused = await fetch(url, { method: 'POST', headers })
  expect([refused.status, refused.headers.get('x-told'), await refused.json()]).toEqual([
    429,
    'otherwise',
    { error: { code: 'relay-test-refused', status: 429 } },
  ])
  const unknown = await fetch(url, { method: 'POST' })
  expect(await unknown.json()).toEqual({ error: { code: 'unauthenticated', status: 401 } })
})
