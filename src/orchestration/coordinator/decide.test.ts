import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { leastConnections } from '../../foundation/balancing/least-connections.ts'
import { roundRobin } from '../../foundation/balancing/round-robin.ts'
import { agent, head, lane, snapshot } from './decide.fixture.ts'
import { canServe, type Decision, decide, type Lane } from './decide.ts'

const order = (decision: Decision) => decision.assignments.map((item) => item.taskId)

describe('decide', () => {
  test('gives a task to an agent, and says on which runner it lives', () => {
    const decision = decide(snapshot({ lanes: [lane('a', [head('t1', 1)])], agents: [agent('x')] }), leastConnections())
    expect(decision).toEqual({
      assignments: [{ taskId: 't1', agentId: 'x', runnerId: 'runner of x', holds: [] }],
      refused: [],
    })
  })

  test('serves higher priorities first, whatever is older', () => {
    const lanes = [
      lane('low', [head('old', 1)], 1),
      lane('high', [head('new', 9)], 10),
      lane('mid', [head('mid', 5)], 5),
    ]
    expect(order(decide(snapshot({ lanes, agents: [agent('x', 2)] }), leastConnections()))).toEqual(['new', 'mid'])
    expect(order(decide(snapshot({ lanes, agents: [agent('x', 3)] }), leastConnections()))).toEqual([
      'new',
      'mid',
      'old',
    ])
  })

  test('lets lanes of one priority take turns, the one with the oldest task first', () => {
    const lanes = [
      lane('b', [head('b1', 4), head('b2', 5), head('b3', 6)]),
      lane('a', [head('a1', 1), head('a2', 2), head('a3', 3)]),
    ]
    const decision = decide(snapshot({ lanes, agents: [agent('x', 5)] }), leastConnections())
    expect(order(decision)).toEqual(['a1', 'b1', 'a2', 'b2', 'a3'])
  })

  test('a lane that nobody can serve does not hold up the others', () => {
    const lanes = [lane('gpu', [head('g', 1)], 10, ['gpu']), lane('any', [head('a', 2)], 1)]
    expect(order(decide(snapshot({ lanes, agents: [agent('x', 5)] }), leastConnections()))).toEqual(['a'])
    expect(order(decide(snapshot({ lanes, agents: [agent('x', 5, 0, ['gpu'])] }), leastConnections()))).toEqual([
      'g',
      'a',
    ])
  })

  test('stops at the limit, also in the middle of a turn', () => {
    const lanes = ['a', 'b', 'c'].map((name, n) => lane(name, [head(`${name}1`, n), head(`${name}2`, n + 10)]))
    expect(order(decide(snapshot({ lanes, agents: [agent('x', 9)], limit: 2 }), leastConnections()))).toEqual([
      'a1',
      'b1',
    ])
    expect(order(decide(snapshot({ lanes, agents: [agent('x', 9)], limit: 4 }), leastConnections()))).toEqual([
      'a1',
      'b1',
      'c1',
      'a2',
    ])
  })

  test('a task beyond its budget is refused by name, and the next one of its lane gets its turn', () => {
    const holds = (amount: number) => [
      { budget: 'free', amount: 1_000 },
      { budget: 'run', amount },
    ]
    const lanes = [lane('a', [head('big', 1, holds(8)), head('fits', 2, holds(5)), head('late', 3, holds(1))])]
    const budgets = new Map([['run', 5]])
    expect(decide(snapshot({ lanes, agents: [agent('x', 3)], budgets }), leastConnections())).toEqual({
      assignments: [{ taskId: 'fits', agentId: 'x', runnerId: 'runner of x', holds: holds(5) }],
      refused: [
        { taskId: 'big', budget: 'run' },
        { taskId: 'late', budget: 'run' },
      ],
    })
  })

  test('a task that needs exactly what is left is admitted', () => {
    const lanes = [lane('a', [head('t', 1, [{ budget: 'run', amount: 5 }])])]
    expect(
      order(decide(snapshot({ lanes, agents: [agent('x')], budgets: new Map([['run', 5]]) }), leastConnections())),
    ).toEqual(['t'])
  })

  test('does not change what it was given', () => {
    const free = agent('x', 2)
    const budgets = new Map([['run', 5]])
    const lanes = [lane('a', [head('t', 1, [{ budget: 'run', amount: 5 }])])]
    decide(snapshot({ lanes, agents: [free], budgets }), leastConnections())
    expect(free.used).toBe(0)
    expect(budgets.get('run')).toBe(5)
  })

  test('with nothing to do or nobody to do it decides nothing', () => {
    const none = { assignments: [], refused: [] }
    expect(decide(snapshot({ agents: [agent('x')] }), leastConnections())).toEqual(none)
    expect(decide(snapshot({ lanes: [lane('a', [head('t', 1)])] }), leastConnections())).toEqual(none)
    expect(decide(snapshot({ lanes: [lane('a', [])], agents: [agent('x')] }), leastConnections())).toEqual(none)
    expect(
      decide(snapshot({ lanes: [lane('a', [head('t', 1)])], agents: [agent('x', 2, 2)] }), leastConnections()),
    ).toEqual(none)
  })
})

test('an agent serves what asks for no more than it can', () => {
  expect(canServe(agent('x', 1, 0, ['a', 'b']), [])).toBe(true)
  expect(canServe(agent('x', 1, 0, ['a', 'b']), ['b', 'a'])).toBe(true)
  expect(canServe(agent('x', 1, 0, ['a']), ['a', 'b'])).toBe(false)
})

describe('whatever waits and whoever is free', () => {
  const skills = ['a', 'b', 'c']
  const budgets = ['run', 'tenant']
  const holds = fc
    .array(fc.record({ budget: fc.constantFrom(...budgets), amount: fc.nat(5) }), { maxLength: 2 })
    .map((list) => [...new Map(list.map((hold) => [hold.budget, hold])).values()])
  const lanes = fc
    .array(
      fc.record({
        priority: fc.integer({ min: 1, max: 3 }),
        capabilities: fc.subarray(skills),
        heads: fc.array(holds, { maxLength: 6 }),
      }),
      { maxLength: 6 },
    )
    .map((list) => {
      let seq = 0
      return list.map(
        (item, n): Lane => ({
          ...item,
          lane: `lane ${n}`,
          heads: item.heads.map((of) => head(`task ${seq}`, seq++, of)),
        }),
      )
    })
  const agents = fc
    .array(fc.record({ slots: fc.integer({ min: 1, max: 4 }), used: fc.nat(4), capabilities: fc.subarray(skills) }), {
      maxLength: 5,
    })
    .map((list) =>
      list.map((item, n) => agent(`agent ${n}`, item.slots, Math.min(item.used, item.slots), item.capabilities)),
    )
  const limits = fc.dictionary(fc.constantFrom(...budgets), fc.nat(12)).map((record) => new Map(Object.entries(record)))
  const shards = fc.record({ lanes, agents, budgets: limits, limit: fc.integer({ min: 1, max: 20 }) })
  const strategy = fc.constantFrom(leastConnections, () => roundRobin())

  test('no slot, budget or limit is exceeded, no task is given twice, nobody does what they cannot', () => {
    fc.assert(
      fc.property(shards, strategy, (shard, make) => {
        const { assignments, refused } = decide(shard, make())
        const tasks = [...assignments, ...refused].map((item) => item.taskId)
        expect(new Set(tasks).size).toBe(tasks.length)
        expect(assignments.length).toBeLessThanOrEqual(shard.limit)
        const heads = new Map(
          shard.lanes.flatMap((item) => item.heads.map((of) => [of.taskId, { lane: item, head: of }] as const)),
        )
        for (const free of shard.agents) {
          const mine = assignments.filter((item) => item.agentId === free.id)
          expect(free.used + mine.length).toBeLessThanOrEqual(free.slots)
          for (const { taskId } of mine) expect(canServe(free, heads.get(taskId)!.lane.capabilities)).toBe(true)
        }
        for (const [budget, limit] of shard.budgets) {
          const held = assignments.flatMap(({ taskId }) =>
            heads.get(taskId)!.head.holds.filter((hold) => hold.budget === budget),
          )
          expect(held.reduce((sum, hold) => sum + hold.amount, 0)).toBeLessThanOrEqual(limit)
        }
      }),
    )
  })

  test('no slot stays empty beside a task that could have it', () => {
    fc.assert(
      fc.property(shards, strategy, (shard, make) => {
        const { assignments, refused } = decide(shard, make())
        if (assignments.length >= shard.limit) return
        const seen = new Set([...assignments, ...refused].map((item) => item.taskId))
        for (const item of shard.lanes) {
          if (item.heads.every((of) => seen.has(of.taskId))) continue
          for (const free of shard.agents.filter((candidate) => canServe(candidate, item.capabilities))) {
            expect(free.used + assignments.filter((given) => given.agentId === free.id).length).toBe(free.slots)
          }
        }
      }),
    )
  })

  test('within a lane nobody overtakes', () => {
    fc.assert(
      fc.property(shards, strategy, (shard, make) => {
        const { assignments, refused } = decide(shard, make())
        const seen = new Set([...assignments, ...refused].map((item) => item.taskId))
        for (const { heads } of shard.lanes) {
          const firstLeft = heads.findIndex((of) => !seen.has(of.taskId))
          if (firstLeft >= 0) expect(heads.slice(firstLeft).some((of) => seen.has(of.taskId))).toBe(false)
        }
      }),
    )
  })
})
