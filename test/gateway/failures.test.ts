import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../src/foundation/runtime/log.fixture.ts'
import {
  ask,
  localAllowed,
  openGateway,
  openLimits,
  speak,
  startUpstream,
  type TestGateway,
  trackedUpstreams,
} from './gateway.fixture.ts'

let gateway: TestGateway
const { upstream, closeAll } = trackedUpstreams()
/** A port that nobody listens on. */
async function nowhere(): Promise<string> {
  const { url, close } = await startUpstream()
  await close()
  return url
}
beforeAll(async () => {
  gateway = await openGateway()
})
afterEach(closeAll)
afterAll(() => gateway.close())
const get = (path: string, options = {}) => ask(`${gateway.url}${path}`, gateway.key, options)
const auth = () => `host: x\r\nauthorization: Bearer ${gateway.key}\r\n`

describe('an upstream', () => {
  test('that is not there is passed over for one that is, whatever the method', async () => {
    const { url, seen } = await upstream()
    await gateway.route('one-gone', [await nowhere(), url], { strategy: 'round_robin', breaker: { failures: 2 } })
    for (const method of ['GET', 'POST', 'GET', 'POST'])
      expect(await get('/one-gone/a', { method, ...(method === 'POST' ? { body: 'x' } : {}) })).toMatchObject({
        status: 200,
      })
    expect(seen.map((each) => each.body)).toEqual(['', 'x', '', 'x'])
    expect((await gateway.stats('one-gone')).retries).toBeGreaterThan(0)
  })

  test('that dies in the middle of an answer cuts it for the client, who can tell', async () => {
    const { url } = await upstream((request, response) => {
      response.writeHead(200, request.url!.endsWith('long') ? { 'content-length': '100' } : {})
      response.write('half', () => response.destroy())
    })
    await gateway.route('dying', [url])
    for (const path of ['/dying/long', '/dying/chunked'])
      expect(await get(path)).toMatchObject({ status: 200, body: 'half', complete: false })
    expect(await gateway.stats('dying')).toMatchObject({ aborted: 2, active: 0 })
    expect((await gateway.stats('dying')).upstreams[0]).toMatchObject({ failures: 2, active: 0 })
  })

  test('that resets is tried again for what may be repeated, and for nothing else', async () => {
    let count = 0
    const { url } = await upstream((request, response) => {
      count += 1
      if (count % 2 === 1) request.socket.resetAndDestroy()
      else response.end('ok')
    })
    await gateway.route('resetting', [url], { retries: { pauseMs: 1 } })
    expect(await get('/resetting/a')).toMatchObject({ status: 200, body: 'ok' })
    expect(await get('/resetting/a', { method: 'PUT', body: 'x' })).toMatchObject({ status: 200, body: 'ok' })
    expect(await get('/resetting/a', { method: 'POST', body: 'x' })).toMatchObject({
      status: 502,
      body: expect.stringContaining('gateway-upstream-failed'),
    })
    expect(count).toBe(5)
  })

  test('that is slow is given up in its time', async () => {
    let closed = 0
    const { url } = await upstream((_request, response) => {
      response.once('close', () => {
        closed += 1
      })
    })
    await gateway.route('slow', [url], { timeouts: { responseMs: 100 }, retries: { attempts: 1, pauseMs: 1 } })
    expect(await get('/slow/a')).toMatchObject({
      status: 504,
      body: expect.stringContaining('gateway-upstream-timeout'),
    })
    expect(await gateway.stats('slow')).toMatchObject({ retries: 1, failed: 1, active: 0, answers: { '5xx': 1 } })
    await eventually(() => closed === 2)
  })

  test('that falls silent in the middle of an answer is given up, too', async () => {
    const { url } = await upstream((_request, response) => void response.write('half'))
    await gateway.route('silent', [url], { timeouts: { idleMs: 1_000 } })
    expect(await get('/silent/a')).toMatchObject({ status: 200, body: 'half', complete: false })
  })

  test.each([
    ['headers beyond all measure', `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(70_000)}\r\n\r\n`],
    ['two framings', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\nabc'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd'],
    ['a broken chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ])('that answers with %s is not believed', async (_, bytes) => {
    const raw = await upstream()
    raw.server.removeAllListeners('connection')
    raw.server.on('connection', (socket) => {
      raw.sockets.add(socket)
      socket.on('error', () => {})
      socket.once('data', () => socket.end(bytes, 'latin1'))
    })
    await gateway.route(`odd-${bytes.length}`, [raw.url], { retries: { attempts: 0 } })
    const answer = await get(`/odd-${bytes.length}/a`)
    expect(answer.status === 502 || !answer.complete).toBe(true)
    expect(answer.body).not.toContain('SSH')
  })

  test('whose 5xx become a storm is left alone; retries stay within their budget; it comes back', async () => {
    let well = false
    let asked = 0
    const { url } = await upstream((_request, response) => {
      asked += 1
      response.writeHead(well ? 200 : 503).end('storm')
    })
    await gateway.route('storm', [url], {
      breaker: { failures: 200, rate: 0.5, requests: 100, openMs: 300, successes: 1 },
      retries: { attempts: 3, budget: 0.1, pauseMs: 0 },
    })
    for (let n = 0; n < 10; n++) await Promise.all(Array.from({ length: 10 }, () => get('/storm/a')))
    const figures = await gateway.stats('storm')
    expect(figures.requests).toBe(100)
    expect(figures.retries).toBeLessThanOrEqual(10)
    expect(figures.retriesRefused).toBeGreaterThan(0)
    expect(figures.upstreams[0]?.breaker).toBe('open')
    const before = asked
    expect(await get('/storm/a')).toMatchObject({ status: 503, body: expect.stringContaining('gateway-no-upstream') })
    expect(asked).toBe(before)
    well = true
    await eventually(async () => (await get('/storm/a')).status === 200)
    expect((await gateway.stats('storm')).upstreams[0]?.breaker).toBe('closed')
  })

  test('that is not allowed is not reached by a name either', async () => {
    const strict = await openGateway('pglite', `${openLimits}gateway: { allow: [10.0.0.1] }\n`)
    try {
      const { port, seen } = await upstream()
      await strict.route('inside', [`http://localhost:${port}`, `https://localhost:${port}`], {
        strategy: 'round_robin',
      })
      for (let n = 0; n < 2; n++) {
        const answer = await ask(`${strict.url}/inside/a`, strict.key)
        expect(answer).toMatchObject({ status: 502, body: expect.stringContaining('gateway-address-refused') })
        expect(answer.body).not.toContain('127.0.0.1')
      }
      expect(seen).toEqual([])
    } finally {
      await strict.close()
    }
  })
})

describe('a client', () => {
  test('that goes away is told to the upstream, and harms no breaker', async () => {
    let closed = 0
    const { url } = await upstream((_request, response) => {
      response.once('close', () => {
        closed += 1
      })
    })
    await gateway.route('left', [url], { breaker: { failures: 1 } })
    const { port } = new URL(gateway.url)
    for (let n = 1; n <= 3; n++) {
      const socket = connect(Number(port), '127.0.0.1')
      socket.write(`GET /gateway/left/a HTTP/1.1\r\n${auth()}\r\n`)
      await eventually(async () => (await gateway.stats('left')).active === 1)
      socket.destroy()
      await eventually(() => closed === n)
    }
    const figures = await gateway.stats('left')
    expect(figures).toMatchObject({ aborted: 3, active: 0, failed: 0 })
    expect(figures.upstreams[0]).toMatchObject({ breaker: 'closed', active: 0, failures: 0 })
  })

  test('whose small body never comes to its end holds no upstream', async () => {
    const { url, sockets } = await upstream()
    await gateway.route('loris', [url])
    const { port } = new URL(gateway.url)
    const clients = Array.from({ length: 20 }, () => {
      const socket = connect(Number(port), '127.0.0.1')
      socket.on('error', () => {})
      socket.write(`POST /gateway/loris/a HTTP/1.1\r\n${auth()}content-length: 100\r\n\r\nx`)
      return socket
    })
    await eventually(async () => (await gateway.stats('loris')).active === 20)
    expect(sockets.size).toBe(0)
    expect((await get('/loris/a')).status).toBe(200)
    for (const socket of clients) socket.destroy()
    await eventually(async () => (await gateway.stats('loris')).active === 0)
  })

  test.each(['100', 'chunked'])('with too large a body is told 413 (%s)', async (how) => {
    const { url, seen } = await upstream()
    await gateway.route(`small-${how}`, [url], { bodyLimit: 50 })
    const body = 'x'.repeat(100)
    const frame =
      how === 'chunked'
        ? `transfer-encoding: chunked\r\n\r\n64\r\n${body}\r\n0\r\n\r\n`
        : `content-length: 100\r\n\r\n${body}`
    const text = await speak(
      gateway.url,
      `POST /gateway/small-${how}/a HTTP/1.1\r\n${auth()}${frame}`,
      /body-too-large/,
    )
    expect(text).toMatch(/^HTTP\/1\.1 413 /)
    expect(seen.filter((each) => each.body.length > 50)).toEqual([])
    expect((await gateway.stats(`small-${how}`)).upstreams[0]).toMatchObject({ breaker: 'closed', active: 0 })
  })

  test.each([
    [
      'both framings',
      'content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /gateway/smuggle/hidden HTTP/1.1\r\n\r\n',
    ],
    ['two lengths', 'content-length: 0\r\ncontent-length: 40\r\n\r\nGET /gateway/smuggle/hidden HTTP/1.1\r\n\r\n'],
    [
      'an odd transfer coding',
      'transfer-encoding: xchunked\r\n\r\n0\r\n\r\nGET /gateway/smuggle/hidden HTTP/1.1\r\n\r\n',
    ],
    ['a space before the colon', 'transfer-encoding : chunked\r\n\r\n0\r\n\r\n'],
    ['a length with a sign', 'content-length: +4\r\n\r\nabcd'],
    ['a bare line feed in a chunk', 'transfer-encoding: chunked\r\n\r\n1\na\n0\n\n'],
    ['a folded header', 'x-a: 1\r\n transfer-encoding: chunked\r\n\r\n'],
  ])('cannot hide a request behind another: %s', async (_, rest) => {
    const { url, seen } = await upstream()
    await gateway.route('smuggle', [url]).catch(() => 'it is there')
    await speak(gateway.url, `POST /gateway/smuggle/seen HTTP/1.1\r\n${auth()}connection: close\r\n${rest}`)
    expect(seen.filter((each) => each.url.includes('hidden'))).toEqual([])
  })

  test('cannot end a header or a request line within a value', async () => {
    const { url, seen } = await upstream()
    await gateway.route('lines', [url])
    for (const path of [
      '/lines/%0d%0aHost:%20x',
      '/lines/..%2f..%2fadmin',
      '/lines/../admin',
      '/lines//x',
      '/lines/a%00',
    ])
      expect(
        await speak(gateway.url, `GET /gateway${path} HTTP/1.1\r\n${auth()}connection: close\r\n\r\n`),
        path,
      ).toContain('gateway-path-refused')
    expect(seen).toEqual([])
  })

  test('with headers beyond all measure is told 431', async () => {
    const many = Array.from({ length: 120 }, (_, n) => `x-${n}: 1\r\n`).join('')
    for (const headers of [many, `x-long: ${'a'.repeat(20_000)}\r\n`])
      expect(
        await speak(gateway.url, `GET /gateway/x HTTP/1.1\r\n${auth()}connection: close\r\n${headers}\r\n`),
      ).toMatch(/^HTTP\/1\.1 431 /)
  })

  test('that runs in a circle is stopped', async () => {
    await gateway.route('circle', [`${gateway.url}`], {
      requestHeaders: { set: { authorization: `Bearer ${gateway.key}` } },
    })
    const answer = await get('/circle/a')
    expect(answer).toMatchObject({ status: 508, body: expect.stringContaining('gateway-loop') })
  })
})

test('health checks take an upstream out and bring it back', async () => {
  const working = await openGateway('pglite', localAllowed, true)
  let well = true
  const { url } = await upstream((_request, response) => void response.writeHead(well ? 200 : 500).end())
  try {
    await working.route('checked', [url], {
      health: { path: '/healthz', intervalMs: 1_000, healthyAfter: 1, unhealthyAfter: 1 },
    })
    const health = async () => (await working.stats('checked')).upstreams[0]?.health
    await eventually(async () => (await health()) === 'healthy')
    well = false
    await eventually(async () => (await health()) === 'unhealthy')
    expect(await ask(`${working.url}/checked/a`, working.key)).toMatchObject({
      status: 503,
      body: expect.stringContaining('gateway-no-upstream'),
    })
    well = true
    await eventually(async () => (await ask(`${working.url}/checked/a`, working.key)).status === 200)
  } finally {
    await working.close()
  }
})

test('a server that ends lets answers under way come to their end, streams and WebSockets in good order', async () => {
  const ending = await openGateway()
  let finish = () => {}
  const { url } = await upstream((request, response) => {
    if (request.url!.endsWith('stream')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: 1\n\n')
    } else finish = () => response.end('in time')
  })
  await ending.route('last', [url])
  const slow = ask(`${ending.url}/last/slow`, ending.key)
  const stream = ask(`${ending.url}/last/stream`, ending.key)
  await eventually(async () => (await ending.stats('last')).active === 2)
  const closed = ending.close()
  expect(await stream).toMatchObject({ status: 200, body: 'data: 1\n\n', complete: true })
  finish()
  expect(await slow).toMatchObject({ status: 200, body: 'in time', complete: true })
  await closed
})
