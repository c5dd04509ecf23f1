import { expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import { isAppError } from '../kernel/errors.ts'
import { parseCursor, tailPosition } from './cursors.ts'
import type { LoggedEvent, LogPosition } from './event-log.ts'
import { endOfTick } from './event-log.ts'
import { EventReader } from './event-reader.ts'
import { changeSubject, eventually, faultsOf, nameOf, tenant, tick } from './log.fixture.ts'
import type { Subscription } from './log-window.ts'

eachDatabase('the event reader', (use) => {
  const onError = (error: unknown) => expect(error).toBeUndefined()
  const start = (keep = 20_000) => EventReader.start(use().db, { onError, keep, pollMs: 10 })

  async function change(subject: string, count = 1): Promise<void> {
    const { db } = use()
    for (let n = 0; n < count; n++) await db.forTenant(tenant).write((tx) => changeSubject(tx, subject, db.clock.now()))
    await tick(db)
    db.notify('lv_ticks')
  }

  /** Follows in the background; `pause` is awaited after each batch. */
  function follow(reader: EventReader, subscription: Subscription, pause = async () => {}) {
    const stop = new AbortController()
    const seen: LoggedEvent[] = []
    const ended = (async () => {
      for await (const batch of reader.follow(subscription, stop.signal)) {
        seen.push(...batch)
        await pause()
      }
    })()
    return { seen, ended, stop: () => stop.abort() }
  }

  test('serves many subscribers the same events in the same order', async () => {
    await using reader = await start()
    const followers = Array.from({ length: 50 }, () => follow(reader, {}))
    await eventually(() => true)
    const picky = follow(reader, { matches: (event) => event.subject.id === 'b' })
    for (let n = 0; n < 5; n++) {
      await change('a', 3)
      await change('b', 2)
    }
    await eventually(() => followers.every((follower) => follower.seen.length === 25) && picky.seen.length === 10)
    for (const { seen } of followers) {
      expect(faultsOf(seen)).toEqual([])
      expect(seen).toEqual(followers[0]!.seen)
    }
    expect(picky.seen).toEqual(followers[0]!.seen.filter((event) => event.subject.id === 'b'))
    for (const follower of [...followers, picky]) {
      follower.stop()
      await follower.ended
    }
  })

  test('resumes after any event, kept in memory or not', async () => {
    await using reader = await start(5)
    const all = follow(reader, {})
    const tail = await use().db.asSystem('test').read(tailPosition)
    await eventually(() => true)
    for (let n = 0; n < 12; n++) await change(`s${n % 2}`, 2)
    await eventually(() => all.seen.length === 24)
    const places: LogPosition[] = [tail, ...all.seen.map((event) => ({ epoch: 1, tick: event.tick, seq: event.seq }))]
    for (const [index, from] of places.entries()) {
      const again = follow(reader, { from })
      await eventually(() => again.seen.length >= 24 - index)
      again.stop()
      await again.ended
      expect(again.seen).toEqual(all.seen.slice(index))
    }
    all.stop()
    await all.ended
  })

  test('a subscriber that is slower than the log misses nothing', async () => {
    await using reader = await start(3)
    let release = () => {}
    const slow = follow(reader, {}, () => new Promise<void>((resolve) => (release = resolve)))
    await eventually(() => true)
    for (let n = 0; n < 20; n++) await change('s', 2)
    await eventually(() => reader.head.tick === 20)
    await eventually(() => {
      release()
      return slow.seen.length === 40
    })
    expect(faultsOf(slow.seen)).toEqual([])
    slow.stop()
    release()
    await slow.ended
  })

  test('a place that is gone is refused before the first batch, with the point to resume from', async () => {
    await change('s', 3)
    await change('s', 1)
    await using reader = await start()
    await use().owner('delete from ticks where id < 1')
    const { signal } = new AbortController()
    const refusal = await reader.open({ from: { epoch: 1, tick: 0, seq: endOfTick } }, signal).catch((error) => error)
    expect(isAppError(refusal, 'cursor-reset')).toBe(true)
    const again = follow(reader, { from: parseCursor(refusal.details.resume) })
    await eventually(() => again.seen.length === 1)
    expect(again.seen.map(nameOf)).toEqual(['s@4'])
    again.stop()
    await again.ended
  })

  test('a new epoch ends the streams with a reset, and the reader serves the new history', async () => {
    await using reader = await start()
    const live = follow(reader, {})
    const behind = follow(reader, { from: await use().db.asSystem('test').read(tailPosition) })
    await eventually(() => true)
    await change('s', 2)
    await eventually(() => live.seen.length === 2 && behind.seen.length === 2)

    await use().owner(`insert into log_epochs (epoch, reason) values (2, 'restore')`)
    const resets = await Promise.all([live, behind].map(({ ended }) => ended.catch((error) => error)))
    for (const reset of resets) expect(isAppError(reset, 'cursor-reset')).toBe(true)
    const resume = parseCursor(resets[0].details.resume)
    expect(resume).toEqual({ epoch: 2, tick: 0, seq: endOfTick })
    await eventually(() => reader.head.epoch === 2)

    const resumed = follow(reader, { from: resume })
    const fresh = follow(reader, {})
    await eventually(() => resumed.seen.length === 2)
    await change('s', 1)
    await eventually(() => resumed.seen.length === 3 && fresh.seen.length === 1)
    expect(fresh.seen.map(nameOf)).toEqual(['s@3'])
    for (const follower of [resumed, fresh]) {
      follower.stop()
      await follower.ended
    }
  })

  test('a subscriber may know the new epoch before the reader does', async () => {
    await using reader = await EventReader.start(use().db, { onError, pollMs: 600_000 })
    await change('s', 1)
    await eventually(() => reader.head.tick === 1)
    const startEarly = async (epoch: number) => {
      await use().owner(`insert into log_epochs (epoch, reason) values (${epoch}, 'restore')`)
      const follower = follow(reader, { from: { epoch, tick: 0, seq: endOfTick } })
      await eventually(() => follower.seen.length === 1)
      return follower
    }
    // A look that the change has asked for may come late enough to see the new epoch too; none is asked for after it.
    let epoch = 2
    let early = await startEarly(epoch)
    while (reader.head.epoch === epoch && epoch < 8) {
      early.stop()
      await early.ended
      epoch += 1
      early = await startEarly(epoch)
    }
    expect(reader.head.epoch).toBeLessThan(epoch)
    await change('s', 1)
    await eventually(() => early.seen.length === 2)
    early.stop()
    await early.ended
  })

  test('closing the reader ends its subscribers', async () => {
    const reader = await start()
    const follower = follow(reader, {})
    await eventually(() => true)
    await reader[Symbol.asyncDispose]()
    await follower.ended
    expect(follower.seen).toEqual([])
  })
})
