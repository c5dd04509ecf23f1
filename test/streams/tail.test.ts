import { once } from 'node:events'
import { connect } from 'node:net'
import { gunzipSync, constants as zlib } from 'node:zlib'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { CloudEvent } from '../../src/external-api/streams/cloud-event-contract.ts'
import {
  publishEvent,
  replayStream,
  showStream,
  startStreams,
  stopStreams,
  tailStream,
} from '../../src/external-api/streams/streams-contract.ts'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import { eventually } from '../../src/foundation/runtime/log.fixture.ts'
import { eachDatabase } from '../support/databases.ts'
import { emit, numbered, numberOf, openStreamPlatform, type StreamPlatform, token } from './streams.fixture.ts'

async function collect(
  on: StreamPlatform,
  query: Record<string, string>,
  count: number,
  start?: () => Promise<unknown>,
): Promise<CloudEvent[]> {
  const stop = new AbortController()
  const events: CloudEvent[] = []
  // Who watches for the end of a stream must not have it resumed.
  const options = start === undefined ? {} : { onOpen: () => void start(), backoff: () => null }
  for await (const { data } of on.client.events(tailStream, { query, signal: stop.signal } as never, options)) {
    events.push(data as CloudEvent)
    if (events.length === count) stop.abort()
  }
  return events
}

function openSocket(on: StreamPlatform, query: string, options: object = {}): WebSocket {
  return new WebSocket(`${on.url.replace('http', 'ws')}/api/v1/stream/socket${query}`, {
    headers: { authorization: `Bearer ${token}` },
    ...options,
  })
}

const other = 'other' as TenantId

eachDatabase('the event stream', (use) => {
  test('brings events as CloudEvents, filtered, and resumes behind any of them', async () => {
    await using on = await openStreamPlatform(use().db)
    await emit(
      use().db,
      { id: 'a', type: 'task.leased', run: 'run_1', data: { n: 1, agent: 'agt_1' } },
      { id: 'b', type: 'task.succeeded', run: 'run_2', data: { n: 2, agent: 'agt_2' } },
      { id: 'agt_1', type: 'agent.degraded', data: { n: 3 } },
      { id: 'a', type: 'task.succeeded', run: 'run_1', data: { n: 4 }, of: other },
      { id: 'a', type: 'task.succeeded', run: 'run_1', data: { n: 5 } },
    )
    const numbers = async (query: Record<string, string>, count: number) =>
      (await collect(on, { from: 'start', ...query }, count)).map(numberOf)
    expect(await numbers({}, 4)).toEqual([1, 2, 3, 5])
    expect(await numbers({ types: 'task.*' }, 3)).toEqual([1, 2, 5])
    expect(await numbers({ types: 'task.succeeded, agent.degraded' }, 3)).toEqual([2, 3, 5])
    expect(await numbers({ run: 'run_1' }, 2)).toEqual([1, 5])
    expect(await numbers({ agent: 'agt_1' }, 2)).toEqual([1, 3])
    expect(await numbers({ subject: 'task/a' }, 2)).toEqual([1, 5])
    expect(await numbers({ subject: 'agent' }, 1)).toEqual([3])
    const all = await collect(on, { from: 'start' }, 4)
    expect(all[0]).toMatchObject({
      specversion: '1.0',
      source: '/tenants/default',
      type: 'task.leased',
      subject: 'task/a',
      runid: 'run_1',
      datacontenttype: 'application/json',
    })
    expect(new Set(all.map(({ id }) => id)).size).toBe(4)
    expect((await collect(on, { from: all[1]!.cursor }, 2)).map(numberOf)).toEqual([3, 5])
    const since = all[0]!.time
    expect((await collect(on, { from: since }, 4)).map(numberOf)).toEqual([1, 2, 3, 5])
  })

  test('what is gone is 410 with the place to resume from, and nonsense is refused', async () => {
    await using on = await openStreamPlatform(use().db)
    const get = async (query: string, headers: object = {}) => {
      const answer = await fetch(`${on.url}/api/v1/stream${query}`, {
        headers: { authorization: `Bearer ${token}`, ...headers },
      })
      return { status: answer.status, ...((await answer.json()) as { code: string; details?: { resume: string } }) }
    }
    const reset = await get('?from=7.1.1')
    expect(reset).toMatchObject({ status: 410, code: 'cursor-reset' })
    expect(await get('', { 'last-event-id': '1.999999.1' })).toMatchObject({ status: 410 })
    await emit(use().db, ...numbered(1, 3))
    expect((await collect(on, { from: reset.details!.resume }, 3)).map(numberOf)).toEqual([1, 2, 3])
    expect(await get('?from=yesterday')).toMatchObject({ status: 400, code: 'stream-from-invalid' })
  })

  test('a log that is replaced ends streams with the place to resume from', async () => {
    await using on = await openStreamPlatform(use().db)
    const failure = collect(on, {}, 1, () =>
      use().owner(`insert into log_epochs (epoch, reason) values (2, 'restored')`),
    )
    await expect(failure).rejects.toMatchObject({
      code: 'cursor-reset',
      details: { resume: expect.stringMatching(/^2\./) },
    })
  })

  test('gzip shrinks the stream and delays no event', async () => {
    await using on = await openStreamPlatform(use().db, { server: { compression: 'always' } })
    const { port } = new URL(on.url)
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(
      `GET /api/v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\naccept-encoding: gzip\r\n\r\n`,
    )
    let raw = Buffer.alloc(0)
    socket.on('data', (part: Buffer) => {
      raw = Buffer.concat([raw, part])
    })
    await eventually(() => raw.includes('\r\n\r\n'))
    expect(raw.toString('latin1')).toMatch(/content-encoding: gzip/i)
    const text = 'the same words again and again '.repeat(100)
    const read = () => gunzipSync(unchunk(raw), { finishFlush: zlib.Z_SYNC_FLUSH }).toString()
    for (let n = 1; n <= 5; n++) {
      await emit(use().db, { data: { n, text } })
      await eventually(() => read().includes(`"n":${n}`))
    }
    expect(raw.length).toBeLessThan(read().length / 4)
    socket.destroy()
  })

  test('permessage-deflate shrinks what goes over a WebSocket', async () => {
    await using on = await openStreamPlatform(use().db)
    const text = 'the same words again and again '.repeat(1_000)
    const bytes: Record<string, number> = {}
    for (const [name, perMessageDeflate] of [
      ['plain', false],
      ['deflated', true],
    ] as const) {
      const ws = openSocket(on, '', { perMessageDeflate })
      await once(ws, 'open')
      expect(ws.extensions.includes('permessage-deflate')).toBe(perMessageDeflate)
      const message = once(ws, 'message')
      await emit(use().db, { data: { text } })
      const [data] = (await message) as [Buffer]
      expect((JSON.parse(data.toString()) as CloudEvent).data).toEqual({ text })
      bytes[name] = (ws as unknown as { _socket: { bytesRead: number } })._socket.bytesRead
      ws.close()
      await once(ws, 'close')
    }
    expect(bytes.deflated!).toBeLessThan(bytes.plain! / 10)
  })

  test('a WebSocket brings the same events, answers pings, and tells failures before it closes', async () => {
    await using on = await openStreamPlatform(use().db, { socket: { heartbeatMs: 50 } })
    await emit(use().db, ...numbered(1, 3))
    const ws = openSocket(on, '?from=start')
    const seen: CloudEvent[] = []
    let pings = 0
    ws.on('ping', () => {
      pings += 1
    })
    ws.on('message', (data) => seen.push(JSON.parse(String(data)) as CloudEvent))
    await eventually(() => seen.length === 3)
    await emit(use().db, ...numbered(4, 5))
    await eventually(() => seen.length === 5 && pings > 2)
    expect(seen.map(numberOf)).toEqual([1, 2, 3, 4, 5])
    ws.terminate()

    const resumed = openSocket(on, `?from=${seen[2]!.cursor}`)
    const rest: CloudEvent[] = []
    resumed.on('message', (data) => rest.push(JSON.parse(String(data)) as CloudEvent))
    await eventually(() => rest.length === 2)
    await use().owner(`insert into log_epochs (epoch, reason) values (2, 'restored')`)
    const [code] = (await once(resumed, 'close')) as [number]
    expect(code).toBe(4410)
    expect(rest.at(-1)).toMatchObject({ problem: { code: 'cursor-reset', details: { resume: expect.any(String) } } })

    const refused = openSocket(on, '?from=9.9.9')
    const [, response] = (await once(refused, 'unexpected-response')) as [unknown, { statusCode: number }]
    expect(response.statusCode).toBe(410)
    refused.on('error', () => {})
    refused.terminate()
  })

  test('a slow reader is slowed, then cut, and loses nothing when it resumes', async () => {
    await using on = await openStreamPlatform(use().db, { server: { stallMs: 800 }, socket: { stallMs: 800 } })
    const { port } = new URL(on.url)
    const lazy = connect(Number(port), '127.0.0.1')
    lazy.write(`GET /api/v1/stream?from=start HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`)
    let read = ''
    lazy.setEncoding('utf8').on('data', (part: string) => {
      read += part
    })
    await eventually(() => read.includes(': heartbeat'))
    lazy.pause()
    const text = 'x'.repeat(200_000)
    for (let n = 1; n <= 100; n++) await emit(use().db, { data: { n, text } })
    const closed = once(lazy, 'close')
    const memory = process.memoryUsage().arrayBuffers
    await eventually(async () => (await on.client.call(showStream)).subscribers === 0, 20_000)
    expect(process.memoryUsage().arrayBuffers - memory).toBeLessThan(64 * 1_048_576)
    lazy.resume()
    await closed
    const ids = [...read.matchAll(/^id: (\S+)$/gm)].map((match) => match[1]!)
    expect(ids.length).toBeLessThan(100)
    const whole = read.split('\n\n').filter((part) => part.includes('id: ') && part.endsWith('}'))
    const last = /id: (\S+)/.exec(whole.at(-2) ?? '')?.[1] ?? 'start'
    const seenBefore = Math.max(0, whole.length - 1)
    const rest = await collect(on, { from: last }, 100 - seenBefore)
    expect(rest.map(numberOf)).toEqual(Array.from({ length: 100 - seenBefore }, (_, i) => seenBefore + 1 + i))
  })

  test('a client that vanishes mid-stream leaves nothing behind', async () => {
    await using on = await openStreamPlatform(use().db)
    const sockets = Array.from({ length: 10 }, () => openSocket(on, '?from=start'))
    await Promise.all(sockets.map((ws) => once(ws, 'open')))
    const stop = new AbortController()
    const reading = fetch(`${on.url}/api/v1/stream?from=start`, {
      headers: { authorization: `Bearer ${token}` },
      signal: stop.signal,
    })
    await emit(use().db, ...numbered(1, 50))
    await reading
    const subscribers = async () => (await on.client.call(showStream)).subscribers
    await eventually(async () => (await subscribers()) === 11)
    for (const ws of sockets) ws.terminate()
    stop.abort()
    await eventually(async () => (await subscribers()) === 0)
    expect(on.errors).toEqual([])
  })

  test('stopped streams end with the reason, and can be opened again afterwards', async () => {
    await using on = await openStreamPlatform(use().db)
    const reading = collect(on, {}, 1, () => on.client.call(stopStreams))
    await expect(reading).rejects.toMatchObject({ code: 'streams-stopped' })
    const ws = openSocket(on, '')
    const [, response] = (await once(ws, 'unexpected-response')) as [unknown, { statusCode: number }]
    expect(response.statusCode).toBe(503)
    expect(await on.client.call(startStreams)).toMatchObject({ status: 'healthy' })
    await emit(use().db, ...numbered(1, 1))
    expect(await collect(on, { from: 'start' }, 1)).toHaveLength(1)
  })

  test('replay ends at what was there, and what is published arrives', async () => {
    await using on = await openStreamPlatform(use().db)
    await emit(use().db, ...numbered(1, 2_500))
    await eventually(async () => {
      const lines = on.client.lines(replayStream, { query: {} } as never)
      let count = 0
      for await (const _ of lines) count += 1
      return count === 2_500
    })
    const published = await collect(on, {}, 1, () =>
      on.client.call(publishEvent, { body: { type: 'deploy.finished', subject: 'site', data: { n: 7 } } }),
    )
    expect(published[0]).toMatchObject({ type: 'deploy.finished', subject: 'deploy/site', data: { n: 7 } })
    for (const type of ['run.succeeded', 'webhook-delivery.dead', 'tenant.deleted']) {
      await expect(on.client.call(publishEvent, { body: { type } })).rejects.toMatchObject({
        code: 'stream-type-reserved',
      })
    }
  })
})

/** The content of a chunked answer so far, without its head. */
function unchunk(raw: Buffer): Buffer {
  const parts: Buffer[] = []
  let at = raw.indexOf('\r\n\r\n') + 4
  for (;;) {
    const end = raw.indexOf('\r\n', at)
    if (end === -1) break
    const size = Number.parseInt(raw.subarray(at, end).toString('latin1'), 16)
    if (!(size > 0) || end + 2 + size > raw.length) break
    parts.push(raw.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
  return Buffer.concat(parts)
}
