import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { defineErrors } from '../../kernel/errors.ts'
import { asId, type TenantId } from '../../kernel/ids.ts'
import { z } from '../../kernel/schema.ts'
import { bearerTokenOf } from './bearer-token.ts'
import { endpoint } from './endpoint-contract.ts'
import { type Route, route } from './route.ts'
import { createServer, type HttpServer } from './server.ts'

const errors = defineErrors({
  'sock-missing': { kind: 'not-found', retry: 'never', when: 'a sock is gone', next: 'buy socks' },
  'drawer-stuck': { kind: 'unavailable', retry: 'later', when: 'the drawer sticks', next: 'pull harder' },
})

const sock = endpoint({
  method: 'POST',
  path: '/socks/:id',
  params: z.object({ id: z.string().max(5) }),
  query: z.object({ pairs: z.coerce.number().int().default(1) }),
  body: z.object({ colour: z.string() }),
  output: z.object({ id: z.string(), pairs: z.int(), colour: z.string() }),
  status: 201,
})

const token = 'lvt_test'
const auth = { authorization: `Bearer ${token}` }
const open: HttpServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close({ graceMs: 100 })
})

function serverOf(routes: readonly Route[], permissions: readonly string[] = ['*']): HttpServer {
  const principal = { id: 'tester', tenant: asId<TenantId>('default'), permissions }
  const server = createServer({ routes, authenticate: bearerTokenOf(token, principal), heartbeatMs: 20 })
  open.push(server)
  return server
}

const sockRoute = route({
  ...sock,
  permission: 'socks:write',
  handle: async ({ params, query, body, principal }) => ({
    id: params.id,
    pairs: query.pairs,
    colour: body.colour,
    // Undeclared, so it must not leave.
    owner: principal.id,
  }),
})

describe('a route', () => {
  test('parses what comes in and cuts what goes out to its contract', async () => {
    const reply = await serverOf([sockRoute]).inject({
      method: 'POST',
      url: '/socks/left?pairs=2',
      headers: auth,
      payload: { colour: 'red' },
    })
    expect(reply.statusCode).toBe(201)
    expect(reply.json()).toEqual({ id: 'left', pairs: 2, colour: 'red' })
    expect(reply.headers['x-request-id']).toMatch(/^req_/)
  })

  test.each([
    ['a bad body', '/socks/left', { payload: { colour: 7 }, headers: auth }, 400, 'invalid-input', /body: colour/],
    ['no body', '/socks/left', { headers: auth }, 400, 'invalid-input', /colour/],
    [
      'a bad query',
      '/socks/left?pairs=x',
      { payload: { colour: 'red' }, headers: auth },
      400,
      'invalid-input',
      /pairs/,
    ],
    ['a bad path', '/socks/toolong', { payload: { colour: 'red' }, headers: auth }, 400, 'invalid-input', /path: id/],
    [
      'broken JSON',
      '/socks/left',
      { payload: '{', headers: { ...auth, 'content-type': 'application/json' } },
      400,
      'request-malformed',
      /JSON/,
    ],
    [
      'another media type',
      '/socks/left',
      { payload: '<a/>', headers: { ...auth, 'content-type': 'text/xml' } },
      415,
      'media-type-unsupported',
      /Media Type/,
    ],
    ['no token', '/socks/left', { payload: { colour: 'red' } }, 401, 'unauthenticated', /token/],
    [
      'a wrong token',
      '/socks/left',
      { payload: { colour: 'red' }, headers: { authorization: 'Bearer lvt_tess' } },
      401,
      'unauthenticated',
      /token/,
    ],
    ['an unknown path', '/shoes', { headers: auth }, 404, 'route-not-found', /POST \/shoes/],
  ])('refuses %s with a problem document', async (_name, url, request, status, code, detail) => {
    const reply = await serverOf([sockRoute]).inject({ method: 'POST', url, ...request })
    expect(reply.statusCode).toBe(status)
    expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/)
    const problem = reply.json()
    expect(problem).toMatchObject({ type: `urn:leanvibe:error:${code}`, status, code })
    expect(problem.detail).toMatch(detail)
    expect(problem.next).not.toBe('')
    expect(problem.requestId).toBe(reply.headers['x-request-id'])
  })

  test('asks for exactly its permission', async () => {
    const send = async (permissions: string[]) =>
      (
        await serverOf([sockRoute], permissions).inject({
          method: 'POST',
          url: '/socks/a',
          headers: auth,
          payload: { colour: 'x' },
        })
      ).statusCode
    expect(await send(['socks:read'])).toBe(403)
    expect(await send(['shoes:write', 'sock:*'])).toBe(403)
    expect(await send(['socks:write'])).toBe(201)
    expect(await send(['socks:*'])).toBe(201)
    expect(await send(['*'])).toBe(201)
  })

  test('tells a 4xx in full, and nothing of a 5xx but what the registry says', async () => {
    const fail = (path: `/${string}`, error: Error) =>
      route({ method: 'GET', path, permission: 'public', handle: async () => Promise.reject(error) })
    const server = serverOf([
      fail('/gone', errors['sock-missing']('the left one is gone', { details: { side: 'left' } })),
      fail('/stuck', errors['drawer-stuck']('password=hunter2', { details: { secret: 'hunter2' } })),
      fail('/bug', new TypeError('cannot read hunter2')),
      route({
        method: 'GET',
        path: '/lie',
        permission: 'public',
        output: z.object({ a: z.int() }),
        handle: () => ({ a: 1.5 }),
      }),
    ])
    const gone = await server.inject('/gone')
    expect(gone.json()).toMatchObject({
      status: 404,
      code: 'sock-missing',
      detail: 'the left one is gone',
      next: 'buy socks',
      details: { side: 'left' },
    })
    for (const [path, status, code] of [
      ['/stuck', 503, 'drawer-stuck'],
      ['/bug', 500, 'internal'],
      ['/lie', 500, 'internal'],
    ] as const) {
      const reply = await server.inject(path)
      expect(reply.statusCode).toBe(status)
      expect(reply.json()).toMatchObject({ status, code })
      expect(reply.json()).not.toHaveProperty('detail')
      expect(reply.payload).not.toContain('hunter2')
    }
  })

  test('without a permission does not compile', () => {
    const open = { method: 'GET', path: '/open' } as const
    const output = z.object({ a: z.string() })
    // @ts-expect-error permission is required
    route({ ...open, handle: () => undefined })
    // @ts-expect-error a permission names a part and a right
    route({ ...open, permission: 'everything', handle: () => undefined })
    // @ts-expect-error the answer does not fit the output
    route({ ...open, permission: 'public', output, handle: () => ({ a: 1 }) })
    // @ts-expect-error there is no body schema, so there is no body
    route({ ...open, permission: 'public', handle: ({ body }) => void body.colour })
    route({ ...open, permission: 'socks:read', output, handle: ({ principal }) => ({ a: principal.id }) })
    // @ts-expect-error a public route may have no caller
    route({ ...open, permission: 'public', output, handle: ({ principal }) => ({ a: principal.id }) })
  })
})

describe('the server', () => {
  test.each(['0.0.0.0', '::', '192.168.1.4', 'example.org'])('refuses to listen on %s', async (host) => {
    await expect(serverOf([]).listen({ host })).rejects.toMatchObject({ code: 'bind-refused' })
  })

  test('names the taken port', async () => {
    const { port } = await serverOf([]).listen()
    await expect(serverOf([]).listen({ port })).rejects.toMatchObject({
      code: 'address-in-use',
      message: expect.stringContaining(String(port)),
    })
  })

  test('keeps a harmless request id and replaces any other', async () => {
    const server = serverOf([])
    const idFor = async (id: string) =>
      (await server.inject({ url: '/', headers: { 'x-request-id': id } })).headers['x-request-id']
    expect(await idFor('abc-1.2')).toBe('abc-1.2')
    expect(await idFor('a b<script>')).toMatch(/^req_/)
    expect(await idFor('x'.repeat(65))).toMatch(/^req_/)
  })

  test('drains: lets a request finish, ends streams, then is gone', async () => {
    const entered = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const server = serverOf([
      route({
        method: 'GET',
        path: '/slow',
        permission: 'public',
        output: z.object({ ok: z.boolean() }),
        handle: async () => {
          entered.resolve()
          await release.promise
          return { ok: true }
        },
      }),
      route({
        method: 'GET',
        path: '/events',
        permission: 'public',
        reply: 'events',
        output: z.int(),
        handle: ({ signal }) => never(signal),
      }),
    ])
    const { url } = await server.listen()
    const stream = await fetch(`${url}/events`)
    const slow = fetch(`${url}/slow`)
    await entered.promise
    const started = performance.now()
    const closed = server.close({ graceMs: 5_000 })
    expect(await stream.text()).toContain(': heartbeat')
    release.resolve()
    expect(await (await slow).json()).toEqual({ ok: true })
    await closed
    expect(performance.now() - started).toBeLessThan(3_000)
    await expect(fetch(`${url}/slow`)).rejects.toThrow()
  })

  test('does not wait for a connection that was opened and never used', async () => {
    const server = serverOf([])
    const { port } = await server.listen()
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const started = performance.now()
    await server.close({ graceMs: 5_000 })
    expect(performance.now() - started).toBeLessThan(3_000)
    socket.destroy()
  })

  test('cuts what does not finish within the grace', async () => {
    const entered = Promise.withResolvers<AbortSignal>()
    const server = serverOf([
      route({
        method: 'GET',
        path: '/stuck',
        permission: 'public',
        handle: async ({ signal }) => {
          entered.resolve(signal)
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
        },
      }),
    ])
    const { url } = await server.listen()
    const request = fetch(`${url}/stuck`)
    const signal = await entered.promise
    await server.close({ graceMs: 10 })
    await expect(request).rejects.toThrow()
    await expect.poll(() => signal.aborted).toBe(true)
  })
})

async function* never(signal: AbortSignal): AsyncGenerator<never> {
  while (!signal.aborted) await delay(5)
  yield* []
}
