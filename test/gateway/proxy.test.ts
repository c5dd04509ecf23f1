import { createHash, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import {
  changeGatewayRoute,
  createKeyEndpoint,
  removeGatewayRoute,
  revokeKey,
  showGateway,
  showGatewayRoute,
  startGateway,
  stopGateway,
} from '../../src/contract.ts'
import { eventually } from '../../src/foundation/runtime/log.fixture.ts'
import { makeTenant } from '../support/api.ts'
import { ask, openGateway, speak, type TestGateway, trackedUpstreams } from './gateway.fixture.ts'

let gateway: TestGateway
const { upstream, closeAll } = trackedUpstreams()
beforeAll(async () => {
  gateway = await openGateway()
})
afterEach(closeAll)
afterAll(() => gateway.close())

describe('a managed route', () => {
  test('passes on method, path, query and body, and passes back status, headers and body', async () => {
    const { url } = await upstream((request, response, body) => {
      response.writeHead(418, { 'x-thing': 'a', 'set-cookie': ['a=1', 'b=2'] })
      response.end(`${request.method} ${request.url} ${body}`)
    })
    await gateway.route('plain', [`${url}/base/`])
    const answer = await ask(`${gateway.url}/plain/x%20y/z?q=%2F&q=2`, gateway.key, { method: 'POST', body: 'hello' })
    expect(answer).toMatchObject({ status: 418, body: 'POST /base/plain/x%20y/z?q=%2F&q=2 hello', complete: true })
    expect(answer.headers).toMatchObject({ 'x-thing': 'a', 'set-cookie': ['a=1', 'b=2'] })
    expect(answer.headers['x-request-id']).toMatch(/^req_/)
  })

  test.each([0, 1, 256, 16_384, 16_385, 70_000])('passes back %d bytes as they are', async (count) => {
    const sent = Buffer.from(Array.from({ length: count }, (_, n) => n % 256))
    const { url } = await upstream((_request, response) => {
      response.writeHead(200, { 'content-length': count, 'content-type': 'application/octet-stream' }).end(sent)
    })
    await gateway.route(`bytes-${count}`, [url])
    const answer = await fetch(`${gateway.url}/bytes-${count}/x`, {
      headers: { authorization: `Bearer ${gateway.key}` },
    })
    expect(answer.headers.get('content-length')).toBe(String(count))
    expect(Buffer.from(await answer.arrayBuffer()).equals(sent)).toBe(true)
  })

  test('fills parameters and the rest into the path of the upstream', async () => {
    const { url, seen } = await upstream()
    await gateway.route('rewritten', [url], {
      match: { path: '/rewritten/:id/files/*', methods: ['GET'] },
      rewrite: '/v2/of/:id/*',
    })
    await ask(`${gateway.url}/rewritten/7/files/a/b?x=1`, gateway.key)
    expect(seen.map((each) => each.url)).toEqual(['/v2/of/7/a/b?x=1'])
  })

  test('says which methods a path takes, and nothing of paths that nobody has', async () => {
    const { url, seen } = await upstream()
    await gateway.route('reads', [url], { match: { path: '/methods/:id', methods: ['GET', 'HEAD'] } })
    await gateway.route('writes', [url], { match: { path: '/methods/*', methods: ['POST'] } })
    await gateway.route('elsewhere', [url], {
      match: { path: '/methods/*', methods: ['DELETE'], hosts: ['x.example.org'] },
    })
    const asked = (method: string, path: string) => ask(`${gateway.url}${path}`, gateway.key, { method })
    const refused = await asked('DELETE', '/methods/7')
    expect(refused).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD, POST' } })
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'gateway-method-refused', status: 405 })
    expect(await asked('GET', '/methods/7/8')).toMatchObject({ status: 405, headers: { allow: 'POST' } })
    expect(await asked('OPTIONS', '/methods/7')).toMatchObject({ status: 204, headers: { allow: 'GET, HEAD, POST' } })
    expect(seen).toEqual([])
    expect((await asked('POST', '/methods/7')).status).toBe(200)
    const unknown = await asked('GET', '/no-such-path')
    expect(unknown).toMatchObject({ status: 404, body: expect.stringContaining('gateway-route-unknown') })
    expect(unknown.headers.allow).toBeUndefined()
  })

  test('is found by host and header, too', async () => {
    const { url, seen } = await upstream()
    await gateway.route('by-host', [`${url}/host`], { match: { path: '/by/*', hosts: ['*.example.org'] } })
    await gateway.route('by-header', [`${url}/header`], {
      match: { path: '/by/*', headers: { 'x-version': 'beta' } },
    })
    await ask(`${gateway.url}/by/a`, gateway.key, { headers: { host: 'x.example.org:80' } })
    await ask(`${gateway.url}/by/a`, gateway.key, { headers: { 'x-version': 'beta' } })
    expect(seen.map((each) => each.url)).toEqual(['/host/by/a', '/header/by/a'])
    expect((await ask(`${gateway.url}/by/a`, gateway.key)).status).toBe(404)
  })

  test('tells upstreams who calls, but not by what key; what belongs to a connection stays there', async () => {
    const { url, seen, port } = await upstream((_request, response) => {
      response.writeHead(200, {
        connection: 'x-inner, keep-alive',
        'x-inner': '1',
        'access-control-allow-origin': '*',
        'strict-transport-security': 'max-age=1',
        'x-kept': '1',
      })
      response.end('ok')
    })
    await gateway.route('headers', [url], {
      requestHeaders: {
        set: { authorization: 'Bearer theirs', 'x-set': 's' },
        add: { 'x-add': 'b' },
        remove: ['x-no'],
      },
      responseHeaders: { set: { 'x-policy': 'p' }, remove: ['date'] },
    })
    const answer = await ask(`${gateway.url}/headers/a`, gateway.key, {
      headers: {
        connection: 'x-secret, x-forwarded-for, traceparent',
        'x-secret': '1',
        'x-api-key': 'lvk_x',
        'x-no': '1',
        'x-set': 'mine',
        'x-add': 'a',
        'x-forwarded-for': '6.6.6.6',
        forwarded: 'for=6.6.6.6',
        te: 'trailers',
        'leanvibe-principal': 'somebody else',
        'proxy-authorization': 'Basic x',
        traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
        tracestate: 'a=1',
        'x-request-id': 'mine-1',
      },
    })
    const { headers } = seen[0]!
    expect(headers).toMatchObject({
      host: `127.0.0.1:${port}`,
      authorization: 'Bearer theirs',
      'x-set': 's',
      'x-add': 'a, b',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      via: '1.1 leanvibe',
      'leanvibe-tenant': 'ten-a',
      tracestate: 'a=1',
      'x-request-id': 'mine-1',
    })
    expect(headers['leanvibe-principal']).not.toContain('somebody')
    expect(headers.traceparent).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/)
    expect(headers.traceparent).not.toContain('00f067aa0ba902b7')
    for (const name of ['x-secret', 'x-api-key', 'x-no', 'forwarded', 'te', 'proxy-authorization'])
      expect(headers, name).not.toHaveProperty(name)
    expect(JSON.stringify(seen[0])).not.toContain(gateway.key)
    expect(answer.headers).toMatchObject({ 'x-kept': '1', 'x-policy': 'p', 'x-content-type-options': 'nosniff' })
    for (const name of ['x-inner', 'access-control-allow-origin', 'strict-transport-security'])
      expect(answer.headers, name).not.toHaveProperty(name)
  })

  test('confines documents: they run in an origin of their own', async () => {
    const { url } = await upstream((_request, response) => {
      response.setHeader('content-type', 'text/html')
      response.end('<script>steal()</script>')
    })
    await gateway.route('pages', [url])
    const { headers } = await ask(`${gateway.url}/pages/a`, gateway.key)
    expect(headers['content-security-policy']).toMatch(/^sandbox /)
    expect(headers['content-security-policy']).not.toContain('allow-same-origin')
  })

  test('passes large bodies both ways as they are', async () => {
    const { url } = await upstream((request, response) => request.pipe(response), { readBody: false })
    await gateway.route('large', [url])
    const sent = randomBytes(3 * 1_048_576)
    const headers = { authorization: `Bearer ${gateway.key}` }
    const body = new ReadableStream({
      start(controller) {
        for (let at = 0; at < sent.length; at += 100_000) controller.enqueue(sent.subarray(at, at + 100_000))
        controller.close()
      },
    })
    const reply = await fetch(`${gateway.url}/large/a`, {
      method: 'POST',
      headers,
      body,
      duplex: 'half',
    } as RequestInit)
    const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
    expect(digest(new Uint8Array(await reply.arrayBuffer()))).toBe(digest(sent))
    expect(await gateway.stats('large')).toMatchObject({ bytesIn: sent.length, bytesOut: sent.length })
  })

  test('answers HEAD, 204 and 304 without a body, and keeps the connection in order', async () => {
    const { url } = await upstream((request, response) => {
      const status = Number(request.url!.split('/').at(-1))
      response.writeHead(status, status === 200 ? { 'content-length': '5' } : {})
      response.end(request.method === 'HEAD' || status !== 200 ? undefined : 'hello')
    })
    await gateway.route('empty', [url])
    const auth = `authorization: Bearer ${gateway.key}\r\nhost: x\r\n`
    const text = await speak(
      gateway.url,
      ['HEAD /gateway/empty/200', 'GET /gateway/empty/204', 'GET /gateway/empty/304', 'GET /gateway/empty/200']
        .map((line, n) => `${line} HTTP/1.1\r\n${auth}${n === 3 ? 'connection: close\r\n' : ''}\r\n`)
        .join(''),
    )
    expect([...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status)).toEqual(['200', '204', '304', '200'])
    expect(text.endsWith('\r\n\r\nhello')).toBe(true)
  })
})

describe('who may', () => {
  test('a key is needed, its permission, and one of this tenant', async () => {
    const { url, seen } = await upstream()
    await gateway.route('guarded', [url], { permission: 'billing:read' })
    const narrow = await gateway.client.call(createKeyEndpoint, {
      body: { name: 'narrow', role: 'operator', scopes: ['services:write'] },
    })
    const fitting = await gateway.client.call(createKeyEndpoint, {
      body: { name: 'fitting', role: 'viewer', scopes: ['billing:read'] },
    })
    const other = await makeTenant(gateway.api, 'ten-other')
    const at = `${gateway.url}/guarded/a`
    expect(await ask(at, null)).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } })
    expect((await ask(at, 'lvk_000000000000_nobody')).status).toBe(401)
    expect((await ask(at, narrow.key)).status).toBe(403)
    expect((await ask(at, other.key)).status).toBe(404)
    expect((await ask(at, fitting.key)).status).toBe(200)
    expect(seen.length).toBe(1)
    await gateway.client.call(revokeKey, { params: { id: fitting.id } })
    expect((await ask(at, fitting.key)).status).toBe(401)
  })

  test('its own rate is counted by key, and told', async () => {
    const { url } = await upstream()
    await gateway.route('rated', [url], { rate: { requests: 2, seconds: 60, per: 'key' } })
    const [first, second, third] = [1, 2, 3].map(() => ask(`${gateway.url}/rated/a`, gateway.key))
    await first
    await second
    expect((await first!).headers).toMatchObject({ 'ratelimit-policy': '"rated";q=2;w=60' })
    const refused = [await first!, await second!, await third!].find(({ status }) => status === 429)
    expect(refused?.headers['retry-after']).toMatch(/^\d+$/)
    expect(await gateway.stats('rated')).toMatchObject({ requests: 2, rateLimited: 1 })
  })

  test('a stopped gateway answers 503 until it is started', async () => {
    const { url } = await upstream()
    await gateway.route('stopping', [url])
    expect(await gateway.client.call(stopGateway)).toMatchObject({ status: 'stopped' })
    expect(await ask(`${gateway.url}/stopping/a`, gateway.key)).toMatchObject({
      status: 503,
      body: expect.stringContaining('gateway-stopped'),
    })
    await gateway.client.call(startGateway)
    expect((await ask(`${gateway.url}/stopping/a`, gateway.key)).status).toBe(200)
    expect(await gateway.client.call(showGateway)).toMatchObject({ serverRunning: true, prefix: '/gateway' })
  })
})

describe('changes', () => {
  test('are live with their answer, and end with removal', async () => {
    const [one, two] = [await upstream(), await upstream()]
    const id = await gateway.route('moving', [one.url])
    await ask(`${gateway.url}/moving/a`, gateway.key)
    const {
      rev,
      createdAt,
      updatedAt,
      id: _,
      ...rest
    } = await gateway.client.call(showGatewayRoute, { params: { id } })
    const body = {
      ...rest,
      targets: [{ name: 'main', weight: 1, upstreams: [{ ...rest.targets[0]!.upstreams[0]!, url: two.url }] }],
    }
    await gateway.client.call(changeGatewayRoute, { params: { id }, body })
    await ask(`${gateway.url}/moving/b`, gateway.key)
    expect([one.seen.length, two.seen.length]).toEqual([1, 1])
    // Its figures go on.
    expect((await gateway.stats('moving')).requests).toBe(2)
    await gateway.client.call(removeGatewayRoute, { params: { id } })
    expect((await ask(`${gateway.url}/moving/c`, gateway.key)).status).toBe(404)
    await eventually(async () => one.sockets.size === 0 && two.sockets.size === 0)
  })

  test.each([
    [{ targets: [{ name: 'a', upstreams: [{ name: 'u', url: 'http://10.0.0.1/' }] }] }, 'gateway-url-refused'],
    [{ targets: [{ name: 'a', upstreams: [{ name: 'u', url: 'http://169.254.169.254/' }] }] }, 'gateway-url-refused'],
    [{ targets: [{ name: 'a', upstreams: [{ name: 'u', url: 'https://u:p@example.org/' }] }] }, 'gateway-url-refused'],
    [{ rewrite: '/:other' }, 'gateway-definition-refused'],
    [{ requestHeaders: { set: { 'content-length': '1' } } }, 'gateway-definition-refused'],
    [{ requestHeaders: { set: { 'x-a': '$' + '{{ secrets.MASTER }}' } } }, 'gateway-definition-refused'],
    [{ responseHeaders: { set: { 'transfer-encoding': 'chunked' } } }, 'gateway-definition-refused'],
  ])('what cannot be is refused: %j', async (more, code) => {
    await expect(gateway.route('wrong', ['https://example.org'], more)).rejects.toMatchObject({ code })
  })
})

describe('streams', () => {
  test('events come through one by one, and end in good order with the server or the client', async () => {
    const writers: ((text: string) => void)[] = []
    let closed = 0
    const { url } = await upstream((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.flushHeaders()
      writers.push((text) => response.write(text))
      response.once('close', () => {
        closed += 1
      })
    })
    await gateway.route('events', [url])
    const stop = new AbortController()
    const reply = await fetch(`${gateway.url}/events/a`, {
      headers: { authorization: `Bearer ${gateway.key}` },
      signal: stop.signal,
    })
    const reader = reply.body!.getReader()
    for (const text of ['data: 1\n\n', 'data: 2\n\n']) {
      writers[0]!(text)
      expect(new TextDecoder().decode((await reader.read()).value)).toBe(text)
    }
    stop.abort()
    await eventually(async () => closed === 1)
    expect(await gateway.stats('events')).toMatchObject({ aborted: 1, active: 0, failed: 0 })
  })

  test('a slow reader slows the upstream; nothing is kept in between', async () => {
    let written = 0
    const { url } = await upstream((_request, response) => {
      const piece = Buffer.alloc(65_536)
      const more = () => {
        while (written < 200 * 1_048_576) {
          written += piece.length
          if (!response.write(piece)) return void response.once('drain', more)
        }
        response.end()
      }
      more()
    })
    await gateway.route('flood', [url])
    const { port } = new URL(gateway.url)
    const socket = connect(Number(port), '127.0.0.1')
    socket.pause()
    socket.write(`GET /gateway/flood/a HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.key}\r\n\r\n`)
    // It comes to rest long before the end, because nobody reads.
    let before = -1
    await eventually(async () => {
      const rests = written > 0 && written === before
      before = written
      return rests
    })
    expect(written).toBeLessThan(50 * 1_048_576)
    socket.destroy()
    await eventually(async () => (await gateway.stats('flood')).active === 0)
  })

  test('WebSockets are joined, both ways, and counted', async () => {
    const made = await upstream()
    const sockets = new WebSocketServer({ server: made.server })
    sockets.on('connection', (socket, request) => {
      socket.send(`hello ${request.url}`)
      socket.on('message', (data) => socket.send(`echo ${data}`))
    })
    await gateway.route('sockets', [made.url])
    const headers = { authorization: `Bearer ${gateway.key}` }
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/sockets/room?x=1`, { headers })
    const messages: string[] = []
    socket.on('message', (data) => messages.push(String(data)))
    await eventually(async () => messages.length === 1)
    const long = 'x'.repeat(200_000)
    socket.send(long)
    await eventually(async () => messages.length === 2)
    expect(messages).toEqual(['hello /sockets/room?x=1', `echo ${long}`])
    expect(await gateway.stats('sockets')).toMatchObject({ upgrades: 1, active: 1, answers: { '1xx': 1 } })
    socket.close(4_001)
    await eventually(async () => (await gateway.stats('sockets')).active === 0)
    expect((await gateway.stats('sockets')).bytesIn).toBeGreaterThan(200_000)
    sockets.close()
  })

  test('an upgrade that is refused, by the upstream, the route or for want of a key, is an ordinary answer', async () => {
    const made = await upstream()
    made.server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 403 No\r\ncontent-length: 3\r\n\r\nno!'))
    await gateway.route('closed', [made.url])
    await gateway.route('unsocketed', [made.url], { upgrades: false })
    const lines = (path: string, key: string) =>
      `GET /gateway${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\nconnection: upgrade\r\n` +
      'upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
    expect(await speak(gateway.url, lines('/closed/a', gateway.key))).toMatch(/^HTTP\/1\.1 403 [\s\S]*no!$/)
    expect(await speak(gateway.url, lines('/unsocketed/a', gateway.key))).toContain('gateway-upgrade-refused')
    expect(await speak(gateway.url, lines('/closed/a', 'nobody'))).toMatch(/^HTTP\/1\.1 401 /)
  })
})

describe('which upstream', () => {
  test('a cookie keeps a caller with its upstream', async () => {
    const all = await Promise.all([1, 2, 3].map(() => upstream()))
    await gateway.route(
      'sticky',
      all.map(({ url }) => url),
      { affinity: { by: 'cookie', seconds: 60 } },
    )
    const first = await ask(`${gateway.url}/sticky/a`, gateway.key)
    const cookie = String(first.headers['set-cookie']).split(';')[0]!
    expect(String(first.headers['set-cookie'])).toMatch(/^lv_sticky=[\w-]{16}; Path=\/gateway; .*HttpOnly/)
    for (let n = 0; n < 9; n++) {
      const { headers } = await ask(`${gateway.url}/sticky/a`, gateway.key, { headers: { cookie: `a=1; ${cookie}` } })
      expect(headers).not.toHaveProperty('set-cookie')
    }
    expect(all.map(({ seen }) => seen.length).sort()).toEqual([0, 0, 10])
  })

  test('a header keeps a conversation together', async () => {
    const all = await Promise.all([1, 2, 3].map(() => upstream()))
    await gateway.route(
      'talks',
      all.map(({ url }) => url),
      {
        strategy: 'consistent_hash',
        affinity: { by: 'header', header: 'x-conversation' },
      },
    )
    for (const talk of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const before = all.map(({ seen }) => seen.length)
      for (let n = 0; n < 4; n++)
        await ask(`${gateway.url}/talks/a`, gateway.key, { headers: { 'x-conversation': talk } })
      expect(all.map(({ seen }, index) => seen.length - before[index]!).sort()).toEqual([0, 0, 4])
    }
  })

  test('targets get their share by weight', async () => {
    const [stable, canary] = [await upstream(), await upstream()]
    await gateway.route('canary', [], {
      targets: [
        { name: 'stable', weight: 90, upstreams: [{ name: 'u', url: stable.url }] },
        { name: 'canary', weight: 10, upstreams: [{ name: 'u', url: canary.url }] },
      ],
    })
    for (let n = 0; n < 20; n++)
      await Promise.all(Array.from({ length: 20 }, () => ask(`${gateway.url}/canary/a`, gateway.key)))
    // 400 draws: 40 are expected, less than 10 or more than 80 come once in a billion.
    expect(canary.seen.length).toBeGreaterThan(9)
    expect(canary.seen.length).toBeLessThan(81)
    expect(stable.seen.length + canary.seen.length).toBe(400)
  })
})
