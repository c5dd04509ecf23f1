import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nothingHeld, usualRequest } from '../resources/amounts-contract.ts'
import { choosePreemptions, type Victim, type WaitingLane } from './choose-preemptions.ts'
import { agent } from './decide.fixture.ts'

const waiting = (priority: number, tasks = 1, more: Partial<WaitingLane> = {}): WaitingLane => ({
  ...{ priority, tasks, capabilities: [] },
  ...more,
})
const victim = (taskId: string, agentId: string, priority: number, leasedAt = 0, more = {}): Victim => ({
  ...{ taskId, agentId, leasedAt: new Date(leasedAt) },
  lane: { priority, capabilities: [], preemptible: true, ...more },
})
const ids = (list: ReturnType<typeof choosePreemptions>) => list.map((one) => one.victim.taskId)

describe('a place is taken', () => {
  test('from the least priority, and of those from the youngest', () => {
    const agents = [agent('x', 3, 3)]
    const victims = [victim('old', 'x', 2, 1), victim('young', 'x', 2, 9), victim('better', 'x', 4, 99)]
    expect(ids(choosePreemptions([waiting(5)], victims, agents, 9))).toEqual(['young'])
    expect(ids(choosePreemptions([waiting(5, 2)], victims, agents, 9))).toEqual(['young', 'old'])
  })

  test('never from equal or higher priority, nor where there is room anyway', () => {
    expect(choosePreemptions([waiting(5)], [victim('a', 'x', 5)], [agent('x', 1, 1)], 9)).toEqual([])
    expect(choosePreemptions([waiting(9)], [victim('a', 'x', 5)], [agent('x', 1, 1), agent('y')], 9)).toEqual([])
    expect(ids(choosePreemptions([waiting(9, 2)], [victim('a', 'x', 5)], [agent('x', 1, 1), agent('y')], 9))).toEqual([
      'a',
    ])
  })

  test('only on an agent that can do the work', () => {
    const agents = [agent('x', 1, 1), agent('y', 1, 1, ['gpu'])]
    const victims = [victim('a', 'x', 1), victim('b', 'y', 2)]
    expect(ids(choosePreemptions([waiting(9, 5, { capabilities: ['gpu'] })], victims, agents, 9))).toEqual(['b'])
  })

  test('from as many as it takes to make room for a large task', () => {
    const room = { key: 'x', capacity: { cpu: 4 }, held: { ...nothingHeld, cpu: 4 } }
    const agents = [agent('x', 9, 4, [], { rooms: [room] })]
    const victims = [1, 2, 3].map((n) => victim(`v${n}`, 'x', 1, n))
    const large = waiting(9, 1, { resources: { ...usualRequest, cpu: 2 } })
    expect(ids(choosePreemptions([large], victims, agents, 9))).toEqual(['v3', 'v2'])
    expect(choosePreemptions([waiting(9, 1, { resources: { ...usualRequest, cpu: 4 } })], victims, agents, 9)).toEqual(
      [],
    )
  })

  test('at most so often', () => {
    const victims = [1, 2, 3].map((n) => victim(`v${n}`, 'x', 1, n))
    expect(choosePreemptions([waiting(9, 9)], victims, [agent('x', 3, 3)], 2)).toHaveLength(2)
  })
})

test('nobody loses a place to less or equal priority, no place is lost twice, and none without a task for it', () => {
  const leases = fc.array(fc.record({ agent: fc.constantFrom('x', 'y'), priority: fc.integer({ min: 1, max: 10 }) }), {
    maxLength: 6,
  })
  const lanes = fc.array(fc.record({ priority: fc.integer({ min: 1, max: 10 }), tasks: fc.nat(4) }), { maxLength: 4 })
  fc.assert(
    fc.property(leases, lanes, fc.nat(2), (held, queue, spare) => {
      const victims = held.map((one, n) => victim(`v${n}`, one.agent, one.priority, n))
      const agents = ['x', 'y'].map((id) => {
        const used = victims.filter((one) => one.agentId === id).length
        return agent(id, used + spare, used)
      })
      const chosen = choosePreemptions(
        queue.map(({ priority, tasks }) => waiting(priority, tasks)),
        victims,
        agents,
        100,
      )
      for (const { victim: lost, for: priority } of chosen) expect(priority).toBeGreaterThan(lost.lane.priority)
      expect(new Set(ids(chosen)).size).toBe(chosen.length)
      const tasks = queue.reduce((sum, one) => sum + one.tasks, 0)
      expect(chosen.length).toBeLessThanOrEqual(Math.max(0, tasks - 2 * spare))
    }),
  )
})
