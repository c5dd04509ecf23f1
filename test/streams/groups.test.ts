import { once } from 'node:events'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import {
  ackGroup,
  createGroup,
  type LeasedEvent,
  nackGroup,
  pullGroup,
  removeGroup,
  reviveGroup,
  seekGroup,
  showGroup,
} from '../../src/external-api/streams/streams-contract.ts'
import { eventually } from '../../src/foundation/runtime/log.fixture.ts'
import { eachDatabase } from '../support/databases.ts'
import { emit, numbered, numberOf, openStreamPlatform, type StreamPlatform, token } from './streams.fixture.ts'

const params = { name: 'g' }

async function create(on: StreamPlatform, options: object = {}) {
  return on.client.call(createGroup, { body: { name: 'g', from: 'start', ...options } as never })
}

async function pull(on: StreamPlatform, options: object = {}): Promise<readonly LeasedEvent[]> {
  return (await on.client.call(pullGroup, { params, body: { max: 100, ...options } as never })).events
}

const ack = async (on: StreamPlatform, leases: readonly LeasedEvent[]) =>
  (await on.client.call(ackGroup, { params, body: { tokens: leases.map((lease) => lease.token) } })).acked

const numbersIn = (leases: readonly LeasedEvent[]) => leases.map(({ event }) => numberOf(event))

/** Pulls until `count` events have come: events show up when they have been ticked. */
async function pullAll(on: StreamPlatform, count: number): Promise<LeasedEvent[]> {
  const all: LeasedEvent[] = []
  await eventually(async () => {
    all.push(...(await pull(on)))
    return all.length >= count
  })
  return all
}

eachDatabase('a consumer group', (use) => {
  test('answers nothing where nothing has come in the time that its member waits', async () => {
    await using on = await openStreamPlatform(use().db)
    await create(on)
    expect(await pull(on, { waitSeconds: 1 })).toEqual([])
    expect(await pull(on, { waitSeconds: 0.05 })).toEqual([])
  })

  test('hands each event to one member, and again until somebody acknowledges it', async () => {
    await using on = await openStreamPlatform(use().db)
    await create(on, { ackSeconds: 1 })
    await emit(use().db, ...numbered(1, 20))
    const first = await pullAll(on, 20)
    expect(numbersIn(first)).toEqual(numbersIn(first).toSorted((a, b) => a - b))
    expect(new Set(numbersIn(first)).size).toBe(20)
    expect(await pull(on)).toEqual([])
    expect(await ack(on, first.slice(0, 15))).toBe(15)
    const again = await pullAll(on, 5)
    expect(numbersIn(again)).toEqual([16, 17, 18, 19, 20])
    expect(again.every(({ attempt }) => attempt === 2)).toBe(true)
    // The token of a hand-out that is over acknowledges nothing.
    expect(await ack(on, first.slice(15))).toBe(0)
    expect(await ack(on, again)).toBe(5)
    expect(await on.client.call(showGroup, { params })).toMatchObject({ leased: 0, dead: 0 })
  })

  test('sets aside what nobody acknowledges, and hands it out again when told', async () => {
    await using on = await openStreamPlatform(use().db)
    await create(on, { maxAttempts: 2 })
    await emit(use().db, ...numbered(1, 1))
    const lease = await pullAll(on, 1)
    const nack = async (leases: readonly LeasedEvent[]) =>
      on.client.call(nackGroup, { params, body: { tokens: leases.map((one) => one.token) } as never })
    expect(await nack(lease)).toEqual({ returned: 1 })
    expect(await nack(await pullAll(on, 1))).toEqual({ returned: 1 })
    expect(await pull(on)).toEqual([])
    expect(await on.client.call(showGroup, { params })).toMatchObject({ leased: 0, dead: 1 })
    expect(await on.client.call(reviveGroup, { params })).toEqual({ revived: 1 })
    expect(numbersIn(await pullAll(on, 1))).toEqual([1])
  })

  test('follows its filter, waits for what comes, and can be sent to another place', async () => {
    await using on = await openStreamPlatform(use().db)
    await create(on, { filter: { types: 'order.*' }, from: 'now' })
    const waiting = pull(on, { waitSeconds: 20 })
    await emit(use().db, ...numbered(1, 5), { type: 'order.placed', data: { n: 6 } })
    expect(numbersIn(await waiting)).toEqual([6])
    await on.client.call(seekGroup, { params, body: { from: 'start' } })
    expect(numbersIn(await pullAll(on, 1))).toEqual([6])
    await expect(on.client.call(seekGroup, { params, body: { from: '8.1.1' } })).rejects.toMatchObject({
      code: 'cursor-reset',
    })
    await on.client.call(removeGroup, { params })
    await expect(pull(on)).rejects.toMatchObject({ code: 'stream-group-not-found' })
    await create(on)
    await expect(create(on)).rejects.toMatchObject({ code: 'stream-group-exists' })
  })

  test('a member on a WebSocket gets no more than its window until it acknowledges', async () => {
    await using on = await openStreamPlatform(use().db)
    await create(on)
    await emit(use().db, ...numbered(1, 25))
    const ws = new WebSocket(`${on.url.replace('http', 'ws')}/api/v1/stream/socket?group=g&member=m1&window=10`, {
      headers: { authorization: `Bearer ${token}` },
    })
    const leases: LeasedEvent[] = []
    ws.on('message', (data) => leases.push(JSON.parse(String(data)) as LeasedEvent))
    await eventually(() => leases.length === 10)
    expect(await on.client.call(showGroup, { params })).toMatchObject({ leased: 10 })
    const answer = (type: string, tokens: readonly string[]) => ws.send(JSON.stringify({ type, tokens }))
    answer(
      'ack',
      leases.slice(0, 5).map((lease) => lease.token),
    )
    await eventually(() => leases.length === 15)
    answer('nack', [leases[5]!.token])
    await eventually(() => leases.filter(({ event }) => numberOf(event) === 6).length === 2)
    answer(
      'ack',
      leases.slice(6).map((lease) => lease.token),
    )
    await eventually(() => leases.length === 26)
    answer(
      'ack',
      leases.slice(16).map((lease) => lease.token),
    )
    await eventually(async () => (await on.client.call(showGroup, { params })).leased === 0)
    ws.send('nonsense')
    const [code] = (await once(ws, 'close')) as [number]
    expect(code).toBe(4400)
  })

  test('whatever members do, no event is lost, and none is acknowledged twice', { timeout: 120_000 }, async () => {
    const move = fc.record({
      kind: fc.constantFrom('emit', 'pull', 'ack', 'ack-old', 'nack', 'vanish'),
      count: fc.integer({ min: 1, max: 7 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(move, { minLength: 5, maxLength: 25 }), async (moves) => {
        await use().reset()
        await using on = await openStreamPlatform(use().db)
        await create(on, { maxAttempts: 1_000 })
        let emitted = 0
        let held: LeasedEvent[] = []
        const old: LeasedEvent[] = []
        const acked: number[] = []
        const note = async (leases: readonly LeasedEvent[]) => {
          if (leases.length === 0) return
          const count = await ack(on, leases)
          expect(count).toBe(leases.length)
          acked.push(...numbersIn(leases))
        }
        for (const { kind, count } of moves) {
          if (kind === 'emit') {
            await emit(use().db, ...numbered(emitted + 1, emitted + count))
            emitted += count
          } else if (kind === 'pull') held.push(...(await pull(on, { max: count })))
          else if (kind === 'ack') await note(held.splice(0, count))
          else if (kind === 'nack' || kind === 'vanish') {
            const given = held.splice(0, count)
            old.push(...given)
            // Who vanishes says nothing; its time is made to pass here.
            const tokens = given.map((lease) => lease.token)
            if (tokens.length > 0) await on.client.call(nackGroup, { params, body: { tokens, delaySeconds: 0 } })
          } else if (old.length > 0) {
            // A token that was handed out again since is worth nothing; one that was not is still good.
            const lease = old.pop()!
            if ((await ack(on, [lease])) === 1) acked.push(numberOf(lease.event))
          }
        }
        await note(held)
        held = []
        await eventually(async () => {
          await note(await pull(on))
          return acked.length >= emitted
        })
        expect(acked.toSorted((a, b) => a - b)).toEqual(Array.from({ length: emitted }, (_, i) => i + 1))
      }),
      { numRuns: 8 },
    )
  })
})
