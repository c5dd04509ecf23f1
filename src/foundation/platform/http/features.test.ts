import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../kernel/random.ts'
import { z } from '../../kernel/schema.ts'
import { carryOver, routesOfVersions } from './api-versions.ts'
import { chooseEncoding } from './compression.ts'
import { rateLimitHeaders } from './front-door.ts'
import { checkRevision } from './preconditions.ts'
import { route } from './route.ts'
import { at, auth, serverOf } from './server.fixture.ts'
import { formatTraceparent, readTrace } from './trace-context.ts'

describe('CORS', () => {
  const cors = { origins: ['https://console.example.org'] }
  const preflight = {
    method: 'OPTIONS' as const,
    url: '/a',
    headers: {
      origin: 'https://console.example.org',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization, content-type, idempotency-key',
    },
  }

  test('a preflight is answered without a key and before any limit', async () => {
    const frontDoor = {
      arrive: () => ({ allowed: false, retryAfterMs: 1, states: [] }),
      admit: () => ({ allowed: false, retryAfterMs: 1, states: [] }),
      fail: () => {},
    }
    const reply = await serverOf([at('/a', { permission: 'a:read' })], { cors, frontDoor }).inject(preflight)
    expect(reply.statusCode).toBe(204)
    expect(reply.headers).toMatchObject({
      'access-control-allow-origin': 'https://console.example.org',
      'access-control-max-age': '600',
      vary: expect.stringContaining('origin'),
    })
    expect(reply.headers['access-control-allow-methods']).toContain('DELETE')
    for (const name of ['authorization', 'content-type', 'idempotency-key', 'if-match', 'last-event-id'])
      expect(reply.headers['access-control-allow-headers']).toContain(name)
  })

  test('headers that only an upstream knows may be sent, and nothing is answered that is no name', async () => {
    const asking = (names: string, origin = preflight.headers.origin) =>
      serverOf([at('/a')], { cors }).inject({
        ...preflight,
        headers: { ...preflight.headers, origin, 'access-control-request-headers': names },
      })
    const allowed = (await asking('X-Conversation, leanvibe-capabilities, a b, x\u00e9')).headers
    expect(allowed['access-control-allow-headers']).toMatch(/leanvibe-tenant, x-conversation, leanvibe-capabilities$/)
    expect((await asking('x'.repeat(2_000))).headers['access-control-allow-headers']).toMatch(/leanvibe-tenant$/)
    expect((await asking('x-a', 'https://evil.example')).headers['access-control-allow-headers']).toBeUndefined()
  })

  test('others get no permission, and answers differ by origin', async () => {
    const server = serverOf([at('/a')], { cors })
    const stranger = await server.inject({
      ...preflight,
      headers: { ...preflight.headers, origin: 'https://evil.example' },
    })
    expect(stranger.headers['access-control-allow-origin']).toBeUndefined()
    const known = await server.inject({ url: '/a', headers: { origin: 'https://console.example.org' } })
    expect(known.headers).toMatchObject({
      'access-control-allow-origin': 'https://console.example.org',
      vary: 'origin',
    })
    expect(known.headers['access-control-expose-headers']).toContain('ratelimit')
    const other = await server.inject({ url: '/a', headers: { origin: 'https://evil.example' } })
    expect(other.statusCode).toBe(200)
    expect(other.headers['access-control-allow-origin']).toBeUndefined()
    const all = await serverOf([at('/a')], { cors: { origins: ['*'] } }).inject({
      url: '/a',
      headers: { origin: 'https://x.example' },
    })
    expect(all.headers['access-control-allow-origin']).toBe('*')
    expect(all.headers['access-control-allow-credentials']).toBeUndefined()
  })

  test('OPTIONS that is no preflight tells the methods', async () => {
    const reply = await serverOf([at('/a')]).inject({ method: 'OPTIONS', url: '/a' })
    expect([reply.statusCode, reply.headers.allow]).toEqual([204, 'GET'])
  })
})

describe('compression', () => {
  const big = at('/big')
  test.each<[string, string, (bytes: Buffer) => Buffer]>([
    ['gzip', 'gzip', gunzipSync],
    ['br, gzip', 'br', brotliDecompressSync],
    ['br;q=0.1, gzip;q=0.9', 'gzip', gunzipSync],
  ])('Accept-Encoding: %s is answered in %s', async (header, encoding, unpack) => {
    const reply = await serverOf([big], { compression: 'always' }).inject({
      url: '/big',
      headers: { 'accept-encoding': header },
    })
    expect(reply.headers).toMatchObject({ 'content-encoding': encoding, vary: 'accept-encoding' })
    expect(reply.rawPayload.length).toBeLessThan(200)
    expect(Number(reply.headers['content-length'])).toBe(reply.rawPayload.length)
    expect(JSON.parse(unpack(reply.rawPayload).toString())).toMatchObject({ rev: 7 })
  })

  test('small bodies, secrets, and peers on the same machine are sent as they are', async () => {
    const small = route({
      ...{ method: 'GET', path: '/small', permission: 'public', output: z.object({}) },
      handle: () => ({}),
    })
    const secret = at('/secret', { secret: true })
    const headers = { 'accept-encoding': 'gzip' }
    const always = serverOf([small, secret, big], { compression: 'always' })
    expect((await always.inject({ url: '/small', headers })).headers['content-encoding']).toBeUndefined()
    expect((await always.inject({ url: '/secret', headers })).headers['content-encoding']).toBeUndefined()
    expect((await always.inject({ url: '/big' })).headers['content-encoding']).toBeUndefined()
    const auto = serverOf([big])
    expect((await auto.inject({ url: '/big', headers })).headers['content-encoding']).toBeUndefined()
    const proxied = { ...headers, 'x-forwarded-for': '192.0.2.7' }
    expect((await auto.inject({ url: '/big', headers: proxied })).headers['content-encoding']).toBe('gzip')
  })

  test('an event leaves a compressed stream at once', async () => {
    const next = Promise.withResolvers<void>()
    const events = route({
      ...{ method: 'GET', path: '/events', permission: 'public', reply: 'events', output: z.string() },
      handle: async function* () {
        yield { data: 'first' }
        await next.promise
        yield { data: 'second' }
      },
    })
    const { url } = await serverOf([events], { compression: 'always' }).listen()
    const reply = await fetch(`${url}/events`, { headers: { 'accept-encoding': 'gzip' } })
    expect(reply.headers.get('content-encoding')).toBe('gzip')
    expect(reply.headers.get('vary')).toBe('accept-encoding')
    let text = ''
    for await (const chunk of reply.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      // The second is made only once the first has been read.
      if (text.includes('first')) next.resolve()
    }
    expect(text).toContain('data: "second"')
  })

  test('the choice follows the weights, whatever the header', () => {
    expect(chooseEncoding('*')).toBe('br')
    expect(chooseEncoding('identity')).toBeNull()
    expect(chooseEncoding('gzip;q=0, *;q=0.5')).toBe('br')
    expect(chooseEncoding('gzip;q=0.1, identity')).toBeNull()
    fc.assert(
      fc.property(fc.string(), (header) => {
        expect([null, 'br', 'gzip']).toContain(chooseEncoding(header))
      }),
    )
  })
})

describe('revisions and caches', () => {
  test('a GET tells the revision and is answered 304 where it is known', async () => {
    const server = serverOf([at('/a', { revision: 'rev' })])
    const first = await server.inject('/a')
    expect(first.headers).toMatchObject({ etag: '"7"', 'cache-control': 'private, no-cache' })
    const again = await server.inject({ url: '/a', headers: { 'if-none-match': 'W/"7"' } })
    expect([again.statusCode, again.body, again.headers.etag]).toEqual([304, '', '"7"'])
    expect((await server.inject({ url: '/a', headers: { 'if-none-match': '"6"' } })).statusCode).toBe(200)
  })

  test('nothing is kept unless the route says so', async () => {
    const server = serverOf([at('/a'), at('/b', { cache: 60 }), at('/c', { cache: 'revalidate' })])
    const [a, b, c] = await Promise.all(['/a', '/b', '/c'].map((url) => server.inject(url)))
    expect(a!.headers).toMatchObject({ 'cache-control': 'no-store' })
    expect(b!.headers).toMatchObject({ 'cache-control': 'public, max-age=60', etag: expect.stringMatching(/^W\//) })
    expect(c!.headers['cache-control']).toBe('private, no-cache')
    const known = { url: '/c', headers: { 'if-none-match': c!.headers.etag as string } }
    expect((await server.inject(known)).statusCode).toBe(304)
  })

  test('a write on top of something else is refused with what there is now', async () => {
    const write = route({
      ...{ method: 'PATCH', path: '/a', permission: 'public', output: z.object({ rev: z.int() }), revision: 'rev' },
      handle: ({ ifMatch }) => {
        checkRevision(ifMatch, 7)
        return { rev: 8 }
      },
    })
    const server = serverOf([write])
    const send = (tag?: string) =>
      server.inject({ method: 'PATCH', url: '/a', headers: tag === undefined ? {} : { 'if-match': tag } })
    for (const tag of [undefined, '*', '"7"', '"3", "7"']) expect((await send(tag)).headers.etag).toBe('"8"')
    for (const tag of ['"6"', 'W/"7"', '7']) {
      const reply = await send(tag)
      expect(reply.json()).toMatchObject({ status: 412, code: 'precondition-failed', details: { revision: 7 } })
      expect(reply.headers.etag).toBe('"7"')
    }
  })
})

describe('trace context', () => {
  test('goes on where it is sound, and begins where it is not', () => {
    const random = seededRandom(1)
    const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const trace = readTrace({ traceparent: parent, tracestate: 'a=1' }, random)
    expect(trace).toMatchObject({
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      parentId: '00f067aa0ba902b7',
      sampled: true,
      state: 'a=1',
    })
    expect(formatTraceparent(trace)).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/)
    for (const bad of [
      'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      `${parent}-more`,
      '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
      '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
      '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01',
    ])
      expect(readTrace({ traceparent: bad, tracestate: 'a=1' }, random)).toMatchObject({ parentId: null, state: null })
    expect(readTrace({ traceparent: `01${parent.slice(2)}-more` }, random).parentId).toBe('00f067aa0ba902b7')
  })

  test('reaches the handler and is told in the answer', async () => {
    const traced = route({
      ...{ method: 'GET', path: '/trace', permission: 'public', output: z.object({ id: z.string() }) },
      handle: ({ trace }) => ({ id: trace.traceId }),
    })
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00'
    const reply = await serverOf([traced]).inject({ url: '/trace', headers: { traceparent } })
    expect(reply.json()).toEqual({ id: '4bf92f3577b34da6a3ce929d0e0e4736' })
    expect(reply.headers.traceresponse).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-00$/)
  })
})

describe('versions', () => {
  const deprecated = { since: '2027-01-01', sunset: '2027-07-01', link: 'https://example.org/v2' }

  test('two are served at once, and the older one says when it goes', async () => {
    const v1 = [at('/api/v1/a'), at('/api/v1/b')]
    const own = [
      route({
        ...{ method: 'GET', path: '/api/v2/b', permission: 'public', output: z.object({ n: z.int() }) },
        handle: () => ({ n: 2 }),
      }),
    ]
    const routes = routesOfVersions([
      { name: 'v1', deprecated, routes: v1 },
      { name: 'v2', routes: carryOver(v1, 'v1', 'v2', own) },
    ])
    const server = serverOf(routes)
    const old = await server.inject('/api/v1/a')
    expect(old.headers).toMatchObject({
      deprecation: '@1798761600',
      sunset: 'Thu, 01 Jul 2027 00:00:00 GMT',
      link: '<https://example.org/v2>; rel="successor-version"',
    })
    const carried = await server.inject('/api/v2/a')
    expect(carried.json()).toEqual(old.json())
    expect(carried.headers.deprecation).toBeUndefined()
    expect((await server.inject('/api/v2/b')).json()).toEqual({ n: 2 })
    expect((await server.inject('/api/v1/b')).json()).toMatchObject({ rev: 7 })
  })

  test('a route in the wrong place, or there twice, is a fault', () => {
    expect(() => routesOfVersions([{ name: 'v2', routes: [at('/api/v1/a')] }])).toThrow(/not a path of version v2/)
    expect(() => routesOfVersions([{ name: 'v1', routes: [at('/api/v1/a'), at('/api/v1/a')] }])).toThrow(/two routes/)
  })
})

describe('rate limits', () => {
  test('are told by their nearest end, and by Retry-After', async () => {
    const states = [
      { name: 'key', quota: 100, windowSeconds: 60, remaining: 50, resetSeconds: 30 },
      { name: 'tenant', quota: 1_000, windowSeconds: 60, remaining: 0, resetSeconds: 59.2 },
    ]
    expect(rateLimitHeaders(states)).toEqual({
      'ratelimit-policy': '"key";q=100;w=60, "tenant";q=1000;w=60',
      ratelimit: '"tenant";r=0;t=60',
    })
    const refuse = () => ({ allowed: false, retryAfterMs: 1_500, states })
    const frontDoor = { arrive: () => ({ allowed: true, retryAfterMs: 0, states: [] }), admit: refuse, fail: () => {} }
    const server = serverOf([at('/a', { permission: 'a:read' }), at('/livez')], { frontDoor })
    const reply = await server.inject({ url: '/a', headers: auth })
    expect(reply.json()).toMatchObject({ status: 429, code: 'rate-limited', retry: 'later' })
    expect(reply.headers).toMatchObject({ 'retry-after': '2', ratelimit: '"tenant";r=0;t=60' })
  })

  test('never keep a probe of health out', async () => {
    const refuse = () => ({ allowed: false, retryAfterMs: 1_500, states: [] })
    const server = serverOf([at('/livez'), at('/a')], { frontDoor: { arrive: refuse, admit: refuse, fail: () => {} } })
    expect((await server.inject('/livez')).statusCode).toBe(200)
    expect((await server.inject('/a')).statusCode).toBe(429)
  })
})
