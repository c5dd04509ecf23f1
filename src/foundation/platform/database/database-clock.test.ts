import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ManualClock } from '../../kernel/clock.ts'
import { type ClockSample, createDatabaseClock } from './database-clock.ts'

function create(samples: readonly (ClockSample | Error | undefined)[]) {
  const local = new ManualClock()
  const rest = [...samples]
  const clock = createDatabaseClock({
    local,
    sample: async () => {
      const next = rest.shift()
      if (next instanceof Error) throw next
      return next
    },
  })
  return { clock, local }
}

test('the sample with the shortest round trip counts', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({ offset: fc.integer({ min: -1e9, max: 1e9 }), roundTrip: fc.integer({ min: 0, max: 500 }) }),
        { minLength: 3, maxLength: 3 },
      ),
      async (samples) => {
        const { clock, local } = create(samples)
        await clock.measure()
        clock.close()
        const best = samples.toSorted((x, y) => x.roundTrip - y.roundTrip)[0]!
        expect(clock.now().getTime() - local.now().getTime()).toBe(best.offset)
      },
    ),
  ))

test('samples that cannot be trusted change nothing', async () => {
  const good = { offset: 100, roundTrip: 1 }
  const { clock } = create([good, good, good, new Error('gone'), undefined, { offset: 9_000, roundTrip: 501 }])
  await clock.measure()
  await clock.measure()
  expect(clock.offset).toBe(100)
  clock.close()
})

test('time passes as it does locally', async () => {
  const { clock, local } = create([{ offset: -500, roundTrip: 0 }])
  await clock.measure()
  local.advance(1_234)
  expect(clock.now()).toEqual(new Date(new Date('2026-01-01T00:00:00Z').getTime() + 734))
  expect(clock.monotonic()).toBe(1_234)
  clock.close()
})
