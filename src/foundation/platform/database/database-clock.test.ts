import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Clock, ManualClock } from '../../kernel/clock.ts'
import { type ClockSample, createDatabaseClock } from './database-clock.ts'

const start = new Date('2026-01-01T00:00:00Z').getTime()

/** A server whose calendar is ahead of our monotonic clock by what each sample says. */
function create(samples: readonly (ClockSample | Error | undefined)[]) {
  const manual = new ManualClock(new Date(start))
  let set = 0
  const local: Clock = {
    now: () => new Date(manual.now().getTime() + set),
    monotonic: () => manual.monotonic(),
  }
  const rest = [...samples]
  let asked = 0
  const clock = createDatabaseClock({
    local,
    sample: async () => {
      asked += 1
      const next = rest.shift()
      if (next instanceof Error) throw next
      return next
    },
  })
  const setCalendar = (ms: number) => {
    set = ms
  }
  return { clock, local: manual, setCalendar, asked: () => asked }
}

const at = (offset: number, roundTrip = 1): ClockSample => ({ offset: start + offset, roundTrip })

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
        expect(clock.now().getTime() - local.monotonic()).toBe(best.offset)
      },
    ),
  ))

test('samples that cannot be trusted change nothing; before the first, our own calendar is all there is', async () => {
  const { clock } = create([new Error('gone'), undefined, undefined, at(100), at(100), at(100), at(9_000, 501)])
  await clock.measure()
  expect(clock.now().getTime()).toBe(start)
  await clock.measure()
  await clock.measure()
  expect(clock.now().getTime()).toBe(start + 100)
  clock.close()
})

test('time passes as it does by the monotonic clock', async () => {
  const { clock, local } = create([at(-500)])
  await clock.measure()
  local.advance(1_234)
  expect(clock.now()).toEqual(new Date(start + 734))
  expect(clock.monotonic()).toBe(1_234)
  clock.close()
})

test('somebody who sets our calendar changes nothing, but makes us ask at once', () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: -400_000, max: 400_000 }).filter((ms) => Math.abs(ms) > 1_000),
      async (ms) => {
        const { clock, setCalendar, asked } = create(Array.from({ length: 9 }, () => at(7)))
        await clock.measure()
        setCalendar(ms)
        for (let i = 0; i < 5; i++) expect(clock.now().getTime()).toBe(start + 7)
        await clock.measure()
        expect(asked()).toBe(6)
        clock.close()
      },
    ),
  ))
