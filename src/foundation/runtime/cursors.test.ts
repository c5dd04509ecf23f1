import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import { isAppError } from '../kernel/errors.ts'
import {
  checkPosition,
  claimCursor,
  formatCursor,
  headPosition,
  mapStoredPosition,
  parseCursor,
  saveCursor,
  tailPosition,
} from './cursors.ts'
import { endOfTick } from './event-log.ts'
import { changeSubject, tenant, tick } from './log.fixture.ts'

test('a position survives its text form', () => {
  fc.assert(
    fc.property(
      fc.nat(999_999_999),
      fc.nat(999_999_999_999),
      fc.oneof(fc.nat(), fc.constant(endOfTick)),
      (epoch, at, seq) => {
        const position = { epoch, tick: at, seq }
        expect(parseCursor(formatCursor(position))).toEqual(position)
      },
    ),
  )
})

test.each(['', '1.2', '1.2.3.4', 'a.b.c', '1.2.-3', '1.2.9999999999999999', ' 1.2.3', '1.2.3\n'])(
  'refuses %j as a cursor',
  (text) => {
    expect(() => parseCursor(text)).toThrow(expect.objectContaining({ code: 'cursor-invalid', kind: 'input' }))
  },
)

eachDatabase('cursors', (use) => {
  const system = () => use().db.asSystem('test')
  const check = (position: Parameters<typeof checkPosition>[1]) =>
    system()
      .read((tx) => checkPosition(tx, position))
      .then(
        () => 'readable',
        (error) => {
          if (!isAppError(error, 'cursor-reset')) throw error
          return String(error.details.resume)
        },
      )

  async function makeTicks(count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      await use()
        .db.forTenant(tenant)
        .write((tx) => changeSubject(tx, 's', use().db.clock.now()))
      await tick(use().db)
    }
  }

  test('what can no longer be read is answered with the point to resume from', async () => {
    await makeTicks(5)
    await use().owner('delete from ticks where id < 2')
    const resume = `1.2.${endOfTick}`
    expect(await check({ epoch: 1, tick: 2, seq: endOfTick })).toBe('readable')
    expect(await check({ epoch: 1, tick: 3, seq: 1 })).toBe('readable')
    expect(await check({ epoch: 1, tick: 5, seq: endOfTick })).toBe('readable')
    // The batch of tick 2 is cut by tick 1, which is gone.
    expect(await check({ epoch: 1, tick: 2, seq: 1 })).toBe(resume)
    expect(await check({ epoch: 1, tick: 1, seq: endOfTick })).toBe(resume)
    expect(await check({ epoch: 1, tick: 6, seq: 1 })).toBe(resume)
    expect(await check({ epoch: 2, tick: 3, seq: 1 })).toBe(resume)
    expect(await check(parseCursor(resume))).toBe('readable')
    expect(await system().read(headPosition)).toEqual({ epoch: 1, tick: 5, seq: endOfTick })
    expect(await system().read(tailPosition)).toEqual({ epoch: 1, tick: 2, seq: endOfTick })
  })

  test('a new epoch: clients are reset, durable readers go on from their place', async () => {
    await makeTicks(3)
    const place = { epoch: 1, tick: 2, seq: 2 }
    await use().owner(`insert into log_epochs (epoch, reason) values (2, 'restore')`)
    expect(await check(place)).toBe(`2.0.${endOfTick}`)
    expect(await system().read((tx) => mapStoredPosition(tx, place))).toEqual({ ...place, epoch: 2 })
    await expect(system().read((tx) => mapStoredPosition(tx, { ...place, epoch: 3 }))).rejects.toMatchObject({
      code: 'cursor-reset',
    })
  })

  test('of two processes that start a reader, one decides where it begins', async () => {
    await makeTicks(2)
    const now = use().db.clock.now()
    const claims = await Promise.all([1, 2, 3].map(() => system().write((tx) => claimCursor(tx, 'new', now))))
    expect(claims.filter((claim) => claim !== null).length).toBeGreaterThan(0)
    for (const claim of claims) expect([null, 2]).toContain(claim === null ? null : claim.tick)
    await system().write((tx) => saveCursor(tx, 'new', { epoch: 1, tick: 1, seq: 5 }, now))
    expect(await system().write((tx) => claimCursor(tx, 'new', now))).toEqual({ epoch: 1, tick: 1, seq: 5 })
  })
})

eachDatabase(
  'cursors',
  (use) => {
    test('a cursor that another process holds is left to it', async () => {
      const system = use().db.asSystem('test')
      const now = use().db.clock.now()
      await system.write((tx) => claimCursor(tx, 'held', now))
      await system.write(async (tx) => {
        expect(await claimCursor(tx, 'held', now)).not.toBeNull()
        expect(await system.write((other) => claimCursor(other, 'held', now))).toBeNull()
      })
    })
  },
  { kinds: ['postgres'] },
)
