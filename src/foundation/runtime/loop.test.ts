import { expect, test } from 'vitest'
import { createPulse } from '../platform/database/pulse.ts'
import { eventually } from './log.fixture.ts'
import { createLoop, isQuiet } from './loop.ts'

const far = 600_000
const unexpected = (error: unknown) => expect(error).toBeUndefined()

test('steps at once, then once for any number of pokes', async () => {
  let steps = 0
  const loop = createLoop({ step: async () => void steps++, pollMs: far, onError: unexpected })
  await eventually(() => steps === 1)
  for (let n = 0; n < 10; n++) loop.poke()
  await eventually(() => steps === 2)
  await loop.stop()
  expect(steps).toBe(2)
})

test('a poke during a step asks for one more, and steps never overlap', async () => {
  let running = 0
  let most = 0
  let steps = 0
  let release = () => {}
  const step = async () => {
    most = Math.max(most, ++running)
    await new Promise<void>((resolve) => (release = resolve))
    running--
    steps++
  }
  const loop = createLoop({ step, pollMs: far, onError: unexpected })
  loop.poke()
  loop.poke()
  release()
  await eventually(() => steps === 1 && running === 1)
  release()
  await eventually(() => steps === 2)
  await loop.stop()
  expect(most).toBe(1)
})

test('goes on at once while a step says there is more', async () => {
  let left = 5
  const loop = createLoop({ step: async () => --left > 0, pollMs: far, onError: unexpected })
  await eventually(() => left === 0)
  await loop.stop()
})

test('keeps the least interval between the starts of steps', async () => {
  const starts: number[] = []
  const loop = createLoop({
    step: async () => void starts.push(performance.now()),
    pollMs: far,
    minIntervalMs: 30,
    onError: unexpected,
  })
  await eventually(() => {
    loop.poke()
    return starts.length >= 4
  })
  await loop.stop()
  const gaps = starts.slice(1).map((at, index) => at - starts[index]!)
  expect(Math.min(...gaps)).toBeGreaterThan(25)
})

test('a failed step is told and tried again, without pokes making it a storm', async () => {
  const errors: unknown[] = []
  let steps = 0
  const step = async () => {
    if (++steps < 3) throw new Error(`step ${steps}`)
  }
  const loop = createLoop({ step, pollMs: 40, onError: (error) => errors.push(error) })
  const started = performance.now()
  await eventually(() => {
    loop.poke()
    return steps >= 3
  })
  expect(performance.now() - started).toBeGreaterThan(70)
  await loop.stop()
  expect(errors.map(String)).toEqual(['Error: step 1', 'Error: step 2'])
})

test('stopping waits for the step under way and starts no other', async () => {
  let release = () => {}
  let steps = 0
  const loop = createLoop({
    step: async (signal) => {
      await new Promise<void>((resolve) => (release = resolve))
      expect(signal.aborted).toBe(true)
      steps++
    },
    pollMs: 1,
    onError: unexpected,
  })
  loop.poke()
  const stopped = loop.stop()
  expect(steps).toBe(0)
  release()
  await stopped
  expect(steps).toBe(1)
})

test('while nothing changes polls are rare, and a beat brings the next within the poll time', async () => {
  let at = 0
  const pulse = createPulse(() => at)
  let steps = 0
  const loop = createLoop({
    step: async () => void steps++,
    pollMs: 20,
    idle: { pulse, pollMs: far },
    onError: unexpected,
  })
  await eventually(() => steps >= 4)
  at = far
  expect(isQuiet(pulse)).toBe(true)
  const before = steps
  // At most one rest of the busy kind was under way.
  await expect(eventually(() => steps > before + 1, 300)).rejects.toThrow()
  pulse.beat()
  const rested = steps
  await eventually(() => steps >= rested + 3)
  at = 2 * far
  const last = steps
  await expect(eventually(() => steps > last + 1, 300)).rejects.toThrow()
  loop.poke()
  const poked = steps
  await eventually(() => steps === poked + 1)
  await loop.stop()
})

test('a step may say when the next is due, however quiet it is', async () => {
  let at = 0
  const pulse = createPulse(() => at)
  at = far
  let steps = 0
  const loop = createLoop({ step: async () => ++steps && 10, pollMs: far, idle: { pulse }, onError: unexpected })
  await eventually(() => steps >= 3)
  await loop.stop()
})

test('a loop that ended leaves no listener behind', async () => {
  const inner = createPulse(() => 0)
  let listeners = 0
  const pulse = {
    ...inner,
    quietMs: () => far,
    onBeat(listener: () => void) {
      listeners += 1
      const end = inner.onBeat(listener)
      return () => {
        listeners -= 1
        end()
      }
    },
  }
  let steps = 0
  const loop = createLoop({ step: async () => void steps++, pollMs: far, idle: { pulse }, onError: unexpected })
  await eventually(() => steps === 1 && listeners === 1)
  await loop.stop()
  expect(listeners).toBe(0)
})
