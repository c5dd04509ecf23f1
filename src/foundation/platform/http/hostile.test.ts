import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { isAppError } from '../../kernel/errors.ts'
import { asId, type TenantId } from '../../kernel/ids.ts'
import { z } from '../../kernel/schema.ts'
import { bearerTokenOf } from './bearer-token.ts'
import { mostNesting, parseJsonBody } from './json-body.ts'
import { type Route, route } from './route.ts'
import { createServer, type HttpServer, type ServerOptions } from './server.ts'

const open: HttpServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close({ graceMs: 100 })
})

const echo = route({
  method: 'POST',
  path: '/echo',
  permission: 'public',
  body: z.object({ data: z.json() }),
  output: z.object({ data: z.json() }),
  bodyLimit: 10_000,
  handle: ({ body }) => body,
})
const page = route({
  ...{ method: 'GET', path: '/files/:name', permission: 'public', params: z.object({ name: z.string() }) },
  output: z.object({ name: z.string() }),
  handle: ({ params }) => params,
})

async function serve(routes: readonly Route[] = [echo, page], options: Partial<ServerOptions> = {}) {
  const principal = { id: 'tester', tenant: asId<TenantId>('default'), permissions: ['*'] }
  const server = createServer({ routes, authenticate: bearerTokenOf('lvt_right', principal), ...options })
  open.push(server)
  return { server, ...(await server.listen()) }
}

/** What a server answers to bytes on a connection, once it has closed it. */
async function raw(port: number, ...pieces: readonly (string | Buffer)[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
  })
  // A server that has answered may reset what it will not read.
  socket.on('error', () => {})
  for (const piece of pieces) socket.write(piece)
  await once(socket, 'close')
  return text
}

describe('a body', () => {
  test.each<[string, string, number]>([
    ['cut in the middle', '{"data":', 400],
    ['that is no JSON', 'hello', 400],
    ['with a trailing comma', '{"data":1,}', 400],
    ['of the wrong type', '[1]', 400],
    ['with a key for the prototype', '{"data":{"__proto__":{"admin":true}}}', 400],
    ['with such a key in escapes', '{"data":{"\\u005f_proto__":{"admin":true}}}', 400],
    ['with a constructor', '{"data":{"constructor":{"prototype":{"admin":true}}}}', 400],
    ['nested a hundred thousand deep', `{"data":${'['.repeat(4_000)}${']'.repeat(4_000)}}`, 400],
    ['nested and never closed', `{"data":${'{"a":'.repeat(1_900)}`, 400],
    ['over the limit of its route', `{"data":"${'x'.repeat(10_001)}"}`, 413],
    ['that is fine', '{"data":{"constructor":"a word","b":["[[[[", "\\"]"]}}', 200],
  ])('%s', async (_name, payload, status) => {
    const { server } = await serve()
    const reply = await server.inject({
      method: 'POST',
      url: '/echo',
      headers: { 'content-type': 'application/json' },
      payload,
    })
    expect(reply.statusCode).toBe(status)
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
    if (status !== 200)
      expect(reply.json()).toMatchObject({ status, requestId: expect.any(String), next: expect.any(String) })
  })

  test('over the limit is refused before it has arrived', async () => {
    const { port } = await serve()
    const head = 'POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n'
    expect(await raw(port, head, '{"data":')).toMatch(/^HTTP\/1\.1 413 /)
  })

  test('that is compressed is not unpacked', async () => {
    const { server } = await serve()
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
    const reply = await server.inject({ method: 'POST', url: '/echo', headers, payload: '{}' })
    expect(reply.json()).toMatchObject({ status: 415, code: 'media-type-unsupported' })
  })

  test('that ends early costs nothing but the connection', async () => {
    const { server, port, url } = await serve()
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"da')
    socket.destroy()
    const reply = await fetch(`${url}/echo`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"data":1}',
    })
    expect(await reply.json()).toEqual({ data: 1 })
    await server.close({ graceMs: 2_000 })
  })

  test('keeps what it says, but for characters that cannot be kept', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        const value = JSON.parse(text) as unknown
        let parsed: unknown
        try {
          parsed = parseJsonBody(text)
        } catch (error) {
          expect(isAppError(error, 'request-malformed')).toBe(true)
          return
        }
        expect(JSON.stringify(parsed)).toBe(storable(JSON.stringify(value)))
      }),
    )
    expect(parseJsonBody('"a\\u0000b\\ud800"')).toBe('a\ufffdb\ufffd')
    expect(parseJsonBody('"\\ud83d\\ude00"')).toBe('😀')
  })

  test('is refused by its depth exactly where that is too much', () => {
    const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
    expect(parseJsonBody(nested(mostNesting))).toBeInstanceOf(Array)
    expect(() => parseJsonBody(nested(mostNesting + 1))).toThrow(/nested deeper/)
    expect(parseJsonBody(JSON.stringify('['.repeat(500)))).toBe('['.repeat(500))
  })
})

describe('a request', () => {
  test.each<[string, string, RegExp]>([
    ['that is no HTTP', 'hello\r\n\r\n', /^HTTP\/1\.1 400 .*request-malformed/s],
    [
      'with two lengths',
      'POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'that smuggles another one',
      'POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    ['without a host', 'GET /files/a HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400 /],
    [
      'with headers beyond 16 KiB',
      `GET /files/a HTTP/1.1\r\nhost: x\r\na: ${'b'.repeat(20_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 .*headers-too-large/s,
    ],
    [
      'with two hundred headers',
      `GET /files/a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${'a: b\r\n'.repeat(200)}\r\n`,
      /^HTTP\/1\.1 431 .*headers-too-large/s,
    ],
    [
      'with an address that cannot be read',
      'GET /files/%E0%A4%A HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      /^HTTP\/1\.1 400 .*request-malformed/s,
    ],
    [
      'that leaves the folder',
      'GET /files/../../etc/passwd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      /^HTTP\/1\.1 404 /,
    ],
    [
      'that leaves it in escapes',
      'GET /files/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      /^HTTP\/1\.1 200 .*"name":"\.\.\/\.\.\/etc\/passwd"/s,
    ],
    [
      'with a method it does not take',
      'DELETE /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      /^HTTP\/1\.1 405 .*allow: POST.*method-not-allowed/s,
    ],
  ])('%s', async (_name, bytes, expected) => {
    const { port } = await serve()
    expect(await raw(port, bytes)).toMatch(expected)
  })

  test('that dribbles in is ended, headers and body', async () => {
    const { port, url } = await serve([echo], { requestTimeoutMs: 300 })
    const dribble = async (head: string) => {
      const socket = connect(port, '127.0.0.1')
      let text = ''
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      socket.on('error', () => {})
      socket.write(head)
      const timer = setInterval(() => socket.write('a'), 20)
      await once(socket, 'close')
      clearInterval(timer)
      return text
    }
    const started = performance.now()
    const many = Array.from({ length: 50 }, () => dribble('GET /files/a HTTP/1.1\r\nhost: x\r\na: '))
    const body = dribble(
      'POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9000\r\n\r\n"',
    )
    // Meanwhile others are served.
    const reply = await fetch(`${url}/echo`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"data":1}',
    })
    expect(reply.status).toBe(200)
    for (const text of await Promise.all(many)) expect(text).toMatch(/^HTTP\/1\.1 408 .*request-too-slow/s)
    expect(await body).toMatch(/^HTTP\/1\.1 408 /)
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  test('whose sender vanishes in the middle of a stream frees what it held', async () => {
    const closed = Promise.withResolvers<void>()
    const endless = route({
      ...{ method: 'GET', path: '/endless', permission: 'public', reply: 'lines', output: z.string() },
      handle: async function* ({ signal }) {
        try {
          while (!signal.aborted) yield 'x'.repeat(10_000)
        } finally {
          closed.resolve()
        }
      },
    })
    const { port } = await serve([endless])
    const socket: Socket = connect(port, '127.0.0.1')
    socket.write('GET /endless HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(socket, 'data')
    // Nothing more is read, so the server must have stopped to write before it hears of the end.
    socket.pause()
    socket.resetAndDestroy()
    await closed.promise
  })

  test('whatever its bytes, is answered by a client error or ended, and the server lives', async () => {
    const { port, url } = await serve()
    const piece = fc.oneof(
      fc.constantFrom(
        'GET ',
        'POST ',
        '/echo',
        ' HTTP/1.1',
        '\r\n',
        'host: x',
        'content-length: 5',
        '\0',
        '\n',
        ': ',
        '{',
      ),
      fc.string({ unit: 'binary', maxLength: 20 }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 12 }), async (pieces) => {
        const socket = connect(port, '127.0.0.1')
        let text = ''
        socket.setEncoding('latin1').on('data', (chunk: string) => {
          text += chunk
        })
        socket.on('error', () => {})
        socket.end(pieces.join(''))
        await once(socket, 'close')
        expect(text).not.toMatch(/^HTTP\/1\.1 5/)
      }),
      { numRuns: 200 },
    )
    expect((await fetch(`${url}/files/a`)).status).toBe(200)
  })
})

function storable(text: string | undefined): string | undefined {
  return text?.replace(/\\(?:u(0000|d[89a-f][0-9a-f]{2})|.)/g, (match, unstorable) => (unstorable ? '\ufffd' : match))
}
