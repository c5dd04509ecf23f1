import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { z } from '../../kernel/schema.ts'
import type { FrontDoor } from './front-door.ts'
import { httpErrors } from './http-errors.ts'
import { type RouteRequest, route } from './route.ts'
import { serverOf } from './server.fixture.ts'

type Request = RouteRequest<{ id: string }, undefined, undefined, unknown>

const hook = (handle: (request: Request) => Promise<object> | object) =>
  route({
    ...{ method: 'POST', path: '/hooks/:id', permission: 'public', rawBody: true, bodyLimit: 1_000 },
    params: z.object({ id: z.string().max(20) }),
    output: z.object({ id: z.string(), bytes: z.int() }),
    handle: (request) => handle(request as never) as never,
  })
const echo = hook(({ params, rawBody }) => ({ id: params.id, bytes: rawBody!.length, secret: 'never declared' }))

/** The same request over a socket, which is answered directly, and without one, which goes through the router. */
async function both(method: string, path: string, body: string | undefined, headers: Record<string, string> = {}) {
  const server = serverOf([echo])
  const { url } = await server.listen()
  const answer = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body }) })
  const routed = await server.inject({ method: method as never, url: path, headers, payload: body as never })
  return {
    direct: { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() },
    routed: { status: routed.statusCode, headers: routed.headers, text: routed.body },
  }
}

test.each<[string, string, string, string | undefined]>([
  ['what is fine', 'POST', '/hooks/one', 'hello'],
  ['an empty body', 'POST', '/hooks/one', ''],
  ['a parameter that is none', 'POST', '/hooks/this-is-longer-than-it-may-be', 'hello'],
  ['too much', 'POST', '/hooks/one', 'x'.repeat(1_001)],
  ['another method', 'GET', '/hooks/one', undefined],
  ['an encoded parameter', 'POST', '/hooks/o%6ee', 'hello'],
  ['a query', 'POST', '/hooks/one?a=b', 'hello'],
  ['a deeper path', 'POST', '/hooks/one/two', 'hello'],
  ['no parameter', 'POST', '/hooks/', 'hello'],
])('%s is answered as the router would', async (_name, method, path, body) => {
  const { direct, routed } = await both(method, path, body, { 'x-request-id': 'req-1', 'content-type': 'text/plain' })
  expect(direct.status).toBe(routed.status)
  const told = (text: string) => ({ ...(JSON.parse(text) as object), detail: null })
  expect(told(direct.text)).toEqual(told(routed.text))
  const plain = (value: unknown) => String(value).replace('+json; charset=utf-8', '+json')
  const own = ['content-type', 'cache-control', 'allow', 'x-request-id', 'x-content-type-options']
  for (const name of own) expect([name, plain(direct.headers[name])]).toEqual([name, plain(routed.headers[name])])
  expect(direct.headers.traceresponse).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
})

test('failures are problems, a 5xx tells nothing, and headers that must be there are', async () => {
  const server = serverOf([
    hook(({ params }) => {
      if (params.id === 'late') throw httpErrors['rate-limited']('too many', { details: { retryAfterMs: 1_500 } })
      throw new Error('a secret of ours')
    }),
  ])
  const { url } = await server.listen()
  const late = await fetch(`${url}/hooks/late`, { method: 'POST', body: 'x' })
  expect([late.status, late.headers.get('retry-after')]).toEqual([429, '2'])
  const broken = await fetch(`${url}/hooks/broken`, { method: 'POST', body: 'x' })
  expect([broken.status, broken.headers.get('content-type')]).toEqual([500, 'application/problem+json'])
  expect(await broken.text()).not.toContain('secret')
})

test('is counted by its path before anything is read', async () => {
  const seen: string[] = []
  const full = { name: 'ip', quota: 1, windowSeconds: 60, remaining: 0, resetSeconds: 60 }
  const frontDoor: FrontDoor = {
    arrive: ({ path }) => {
      seen.push(path)
      return { allowed: seen.length === 1, retryAfterMs: 60_000, states: [full] }
    },
    admit: () => expect.unreachable(),
    fail: () => expect.unreachable(),
  }
  const { url } = await serverOf([echo], { frontDoor }).listen()
  const first = await fetch(`${url}/hooks/one`, { method: 'POST', body: 'x' })
  const second = await fetch(`${url}/hooks/one`, { method: 'POST', body: 'x' })
  expect([first.status, second.status]).toEqual([200, 429])
  expect(first.headers.get('ratelimit')).toBe('"ip";r=0;t=60')
  expect(seen).toEqual(['/hooks/:id', '/hooks/:id'])
})

test('a body that grows beyond its limit, or ends early, harms nobody', async () => {
  const { url, port } = await serverOf([echo]).listen()
  const send = async (head: string, body: string) => {
    const socket = connect(port, '127.0.0.1')
    socket.write(`POST /hooks/one HTTP/1.1\r\nhost: x\r\n${head}\r\n\r\n${body}`)
    return socket
  }
  const early = await send('content-length: 500', 'abc')
  early.end()
  early.resume()
  await once(early, 'close')
  for (const [head, body] of [
    ['content-length: 5000', 'x'],
    ['transfer-encoding: chunked', `${(2_000).toString(16)}\r\n${'x'.repeat(2_000)}\r\n`],
  ] as const) {
    const socket = await send(head, body)
    let text = ''
    for await (const part of socket.setEncoding('utf8')) text += part
    expect(text).toMatch(/^HTTP\/1\.1 413 /)
    expect(text).toContain('body-too-large')
  }
  const next = await fetch(`${url}/hooks/one`, { method: 'POST', body: 'hello' })
  expect(await next.json()).toEqual({ id: 'one', bytes: 5 })
})

test('whoever asks learns that the client has left', async () => {
  const left = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  const { port } = await serverOf([
    hook(async ({ signal }) => {
      signal.addEventListener('abort', () => left.resolve(), { once: true })
      arrived.resolve()
      await left.promise
      return { id: 'x', bytes: 0 }
    }),
  ]).listen()
  const socket = connect(port, '127.0.0.1')
  socket.write('POST /hooks/one HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n')
  await arrived.promise
  socket.destroy()
  await left.promise
})
