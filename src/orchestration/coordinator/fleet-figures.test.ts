import { expect, test } from 'vitest'
import { powerOfTwoChoices } from '../../foundation/balancing/power-of-two-choices.ts'
import { ManualClock } from '../../foundation/kernel/clock.ts'
import type { ExchangePort, ExchangeReply, ExchangeRequest } from '../runners/exchange-contract.ts'
import { FleetFigures } from './fleet-figures.ts'

/** Hands out what it is told to. */
function scripted() {
  const clock = new ManualClock()
  const figures = new FleetFigures(clock)
  let assignments: { fence: number; agentId: string }[] = []
  const port: ExchangePort = {
    onHint: () => () => {},
    exchange: async () => ({ assignments, cancels: [], revoked: [] }) as unknown as ExchangeReply,
  }
  const listened = figures.listenTo(port)
  const exchange = (
    given: typeof assignments,
    reports: { fence: number; outcome: string }[],
    load?: ExchangeRequest['load'],
  ) => {
    assignments = given
    const request = { runnerId: 'r', reports, progress: [], holding: [], accept: true, ...(load ? { load } : {}) }
    return listened.exchange(request as unknown as ExchangeRequest, new AbortController().signal)
  }
  return { clock, figures, exchange }
}

test('how long an agent takes is learned from what succeeded, and strategies go by it', async () => {
  const { clock, figures, exchange } = scripted()
  await exchange(
    [
      { fence: 1, agentId: 'slow' },
      { fence: 2, agentId: 'fast' },
      { fence: 3, agentId: 'fast' },
    ],
    [],
  )
  clock.advance(100)
  await exchange([], [{ fence: 2, outcome: 'succeeded' }])
  clock.advance(900)
  await exchange(
    [],
    [
      { fence: 1, outcome: 'succeeded' },
      { fence: 3, outcome: 'failed' },
      { fence: 9, outcome: 'succeeded' },
    ],
  )
  expect(figures.latency.of('slow')).toBe(1_000)
  expect(figures.latency.of('fast')).toBeLessThan(110)
  const list = ['slow', 'fast'].map((id) => ({ id, used: 1, slots: 9, weight: 1 }))
  expect(powerOfTwoChoices({ latency: figures.latency }).pick(list)!.id).toBe('fast')
})

test('the load of a machine is what its runner said last, as long as that is not old', async () => {
  const { clock, figures, exchange } = scripted()
  expect(figures.loadOf('r')).toBe(undefined)
  await exchange([], [], { cpu: 0.5 })
  await exchange([], [])
  expect(figures.loadOf('r')).toEqual({ cpu: 0.5 })
  clock.advance(60_000)
  expect(figures.loadOf('r')).toBe(undefined)
})
