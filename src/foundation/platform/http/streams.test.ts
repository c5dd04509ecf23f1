import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from '../../kernel/schema.ts'
import { encodeEvent, withHeartbeat } from './event-stream.ts'
import { type Route, route } from './route.ts'
import { createServer, type HttpServer } from './server.ts'

const open: HttpServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close({ graceMs: 100 })
})

async function listen(routes: readonly Route[]): Promise<string> {
  const server = createServer({ routes, authenticate: async () => null, heartbeatMs: 15 })
  open.push(server)
  return (await server.listen()).url
}

describe('an event stream', () => {
  test('frames events, resumes behind Last-Event-ID and tells a failure as an event', async () => {
    const url = await listen([
      route({
        method: 'GET',
        path: '/events',
        permission: 'public',
        reply: 'events',
        output: z.object({ n: z.int() }),
        handle: async function* ({ lastEventId }) {
          for (let n = Number(lastEventId ?? 0) + 1; n <= 3; n++)
            yield { id: String(n), event: 'count', data: { n, hidden: 1 } }
          throw new Error('hunter2')
        },
      }),
    ])
    const all = await (await fetch(`${url}/events`)).text()
    expect(all).toContain('id: 1\nevent: count\ndata: {"n":1}\n\nid: 2')
    expect(all).toContain('event: problem\ndata: {"type":"urn:leanvibe:error:internal"')
    expect(all).not.toContain('hunter2')
    const rest = await (await fetch(`${url}/events`, { headers: { 'last-event-id': '2' } })).text()
    expect(rest).not.toContain('id: 2')
    expect(rest).toContain('id: 3')
  })

  test('beats while silent, and closes its source when the client leaves', async () => {
    const closed = Promise.withResolvers<void>()
    const url = await listen([
      route({
        method: 'GET',
        path: '/silent',
        permission: 'public',
        reply: 'events',
        output: z.int(),
        handle: ({ signal }) => silence(signal, closed.resolve),
      }),
    ])
    const stop = new AbortController()
    const reply = await fetch(`${url}/silent`, { signal: stop.signal })
    let beats = 0
    for await (const chunk of reply.body!) {
      beats += new TextDecoder().decode(chunk).split(': heartbeat').length - 1
      if (beats >= 3) break
    }
    stop.abort()
    await closed.promise
  })

  test('asks its source for no more than the client reads', async () => {
    let made = 0
    const url = await listen([
      route({
        method: 'GET',
        path: '/flood',
        permission: 'public',
        reply: 'lines',
        output: z.string(),
        handle: async function* () {
          for (;;) {
            made++
            yield 'x'.repeat(64_000)
          }
        },
      }),
    ])
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.pause()
    socket.write('GET /flood HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await expect.poll(() => made).toBeGreaterThan(1)
    let before = -1
    await expect
      .poll(
        () => {
          const same = made === before
          before = made
          return same
        },
        { interval: 50 },
      )
      .toBe(true)
    expect(made).toBeLessThan(1_000)
    socket.destroy()
  })

  test('is framed so that no data can forge an event', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), fc.jsonValue(), (id, event, data) => {
        const lines = encodeEvent({ id, event, data }).split(/\r\n|\r|\n/)
        expect(lines).toHaveLength(5)
        expect(lines[0]?.startsWith('id: ')).toBe(true)
        expect(lines[1]?.startsWith('event: ')).toBe(true)
        expect(JSON.parse(lines[2]!.slice('data: '.length))).toEqual(JSON.parse(JSON.stringify(data)))
        expect(lines.slice(3)).toEqual(['', ''])
      }),
    )
  })
})

describe('withHeartbeat', () => {
  test('passes every item on, in order, whatever the pauses', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 12 }), async (pauses) => {
        async function* source() {
          for (const [n, pause] of pauses.entries()) {
            if (pause > 0) await delay(pause)
            yield n
          }
        }
        const seen: number[] = []
        for await (const item of withHeartbeat<number | null>(source(), 2, null, new AbortController().signal)) {
          if (item !== null) seen.push(item)
        }
        expect(seen).toEqual(pauses.map((_, n) => n))
      }),
      { numRuns: 20 },
    )
  })

  test('passes a failure on and closes the source when its reader stops', async () => {
    let closed = 0
    async function* failing(): AsyncGenerator<number> {
      try {
        yield 1
        throw new Error('worn out')
      } finally {
        closed++
      }
    }
    const signal = new AbortController().signal
    const read = async () => {
      for await (const _ of withHeartbeat<number | null>(failing(), 50, null, signal));
    }
    await expect(read()).rejects.toThrow('worn out')
    for await (const _ of withHeartbeat<number | null>(failing(), 50, null, signal)) break
    expect(closed).toBe(2)
  })
})

describe('bytes', () => {
  test('are an attachment that nothing may interpret; a failing source cuts the connection', async () => {
    const url = await listen([
      route({
        method: 'GET',
        path: '/page',
        permission: 'public',
        reply: 'bytes',
        handle: () => ({ mediaType: 'text/html', body: '<script>', fileName: "o'ne\n.html" }),
      }),
      route({
        method: 'GET',
        path: '/broken',
        permission: 'public',
        reply: 'bytes',
        handle: () => ({
          mediaType: 'text/plain',
          body: (async function* () {
            yield Buffer.from('half')
            throw new Error('disk gone')
          })(),
        }),
      }),
    ])
    const page = await fetch(`${url}/page`)
    expect(await page.text()).toBe('<script>')
    expect(page.headers.get('content-disposition')).toBe("attachment; filename*=UTF-8''o%27ne%0A.html")
    expect(page.headers.get('x-content-type-options')).toBe('nosniff')
    await expect(fetch(`${url}/broken`).then((reply) => reply.text())).rejects.toThrow()
  })
})

async function* silence(signal: AbortSignal, onClose: () => void): AsyncGenerator<{ data: number }> {
  try {
    while (!signal.aborted) await delay(5)
    yield* []
  } finally {
    onClose()
  }
}
