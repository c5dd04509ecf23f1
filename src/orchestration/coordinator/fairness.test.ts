import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { leastConnections } from '../../foundation/balancing/least-connections.ts'
import { usualRequest } from '../resources/amounts-contract.ts'
import { agent, head, lane } from './decide.fixture.ts'
import { decide, decideShards, type FreeAgent, type Lane } from './decide.ts'
import { FairShares } from './fair-shares.ts'

interface Waiting {
  readonly id: string
  readonly seq: number
  readonly lane: Omit<Lane, 'heads'>
}

/** A queue over many decisions: what is given leaves it, and ends before the next. */
class Queue {
  readonly shares = new FairShares()
  readonly given: string[] = []
  #waiting: Waiting[] = []
  #seq = 0

  add(id: string, of: Lane): void {
    this.#waiting.push({ id, seq: this.#seq++, lane: of })
  }

  /** As the tick does: the oldest of each lane, as many as there are slots. */
  tick(agents: readonly FreeAgent[]): readonly string[] {
    const room = agents.reduce((sum, one) => sum + one.slots - one.used, 0)
    const lanes = [...Map.groupBy(this.#waiting, (one) => one.lane.lane)].map(
      ([, own]): Lane => ({ ...own[0]!.lane, heads: own.slice(0, room).map((one) => head(one.id, one.seq)) }),
    )
    const { assignments } = decide({ lanes, agents, budgets: new Map(), limit: 100 }, leastConnections(), {
      shares: this.shares,
    })
    const ids = assignments.map((one) => one.taskId)
    this.#waiting = this.#waiting.filter((one) => !ids.includes(one.id))
    this.given.push(...ids)
    return ids
  }
}

describe('runs', () => {
  const bulk = (n: number, priority = 5) => lane(`${priority}||b=${n}`, [], priority, [], { bulk: n })

  test('a run of thousands does not hold up the one behind it', () => {
    const queue = new Queue()
    for (let n = 0; n < 1_000; n++) queue.add(`task_flood.0.${n}`, bulk(1))
    for (let n = 0; n < 10; n++) queue.add(`task_small.${n}.s`, lane('5|', []))
    for (let n = 0; n < 20; n++) queue.tick([agent('x')])
    expect(queue.given.filter((id) => id.startsWith('task_small'))).toHaveLength(10)
  })

  test('share by priority: two steps of it are worth twice as much', () => {
    const queue = new Queue()
    for (let n = 0; n < 1_000; n++) {
      queue.add(`task_a.0.${n}`, bulk(1, 5))
      queue.add(`task_b.0.${n}`, bulk(2, 7))
    }
    for (let n = 0; n < 60; n++) queue.tick([agent('x', 5)])
    const ofB = queue.given.filter((id) => id.startsWith('task_b')).length
    expect(ofB / queue.given.length).toBeCloseTo(2 / 3, 1)
  })

  test('whatever the runs and slots are, no run that has work gets less than its share', () => {
    const runs = fc.integer({ min: 2, max: 6 })
    fc.assert(
      fc.property(runs, fc.integer({ min: 1, max: 5 }), (count, slots) => {
        const queue = new Queue()
        for (let run = 0; run < count; run++) for (let n = 0; n < 100; n++) queue.add(`task_r${run}.0.${n}`, bulk(run))
        for (let tick = 0; tick < 20; tick++) queue.tick([agent('x', slots)])
        for (let run = 0; run < count; run++) {
          const own = queue.given.filter((id) => id.startsWith(`task_r${run}.`)).length
          // The turns of the oldest go to the run that came first.
          expect(own).toBeGreaterThanOrEqual(Math.floor(((20 * slots) / count) * (14 / 16)) - 2)
        }
      }),
      { numRuns: 50 },
    )
  })
})

describe('nobody starves', () => {
  test('an old task of low priority is done, however much of high priority keeps coming', () => {
    const places = fc.constantFrom('1|', '5|', '3|b', '1||b=4')
    fc.assert(
      fc.property(
        fc.array(places, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 4 }),
        (old, slots, flood) => {
          const queue = new Queue()
          const laneNamed = (name: string) => {
            const [priority, capability = '', more = ''] = name.split('|')
            const capabilities = capability === '' ? [] : [capability]
            return lane(name, [], Number(priority), capabilities, more === '' ? {} : { bulk: Number(more.slice(2)) })
          }
          old.forEach((name, n) => {
            queue.add(`task_old${n}.0.s`, laneNamed(name))
          })
          const agents = [agent('x', slots), agent('y', 1, 0, ['b'])]
          for (let tick = 0; tick < 40 * (old.length + 1); tick++) {
            // More than can be done, of the highest priority and of every kind.
            for (let n = 0; n < slots + flood; n++) {
              queue.add(`task_new${tick}.${n}.s`, laneNamed('10|'))
              queue.add(`task_more${tick}.${n}.s`, laneNamed('10|b'))
              queue.add(`task_bulk.0.${tick}${n}`, laneNamed('10||b=7'))
            }
            queue.tick(agents)
          }
          for (const [n] of old.entries()) expect(queue.given).toContain(`task_old${n}.0.s`)
        },
      ),
      { numRuns: 40 },
    )
  })

  test('a task that needs a whole agent gets it, although small ones would take every piece that becomes free', () => {
    const queue = new Queue()
    const small = lane('9|', [], 9)
    const large = lane('5||q', [], 5, [], { resources: { ...usualRequest, cpu: 4 } })
    queue.add('task_large.0.s', large)
    // Four cores; each tick one of the four small tasks ends, and as many as want to come.
    let busy: string[] = []
    let ticks = 0
    for (let n = 0; n < 200 && !queue.given.includes('task_large.0.s'); n++) {
      ticks = n
      queue.add(`task_small${n}.0.s`, small)
      queue.add(`task_small${n}.1.s`, small)
      busy = busy.slice(1)
      const room = {
        key: 'x',
        capacity: { cpu: 4 },
        held: { cpu: busy.length, memory: 0, disk: 0, network: 0 },
      }
      busy.push(...queue.tick([agent('x', 50, busy.length, [], { rooms: [room] })]))
    }
    expect(queue.given).toContain('task_large.0.s')
    expect(ticks).toBeLessThan(40)
  })
})

describe('tenants', () => {
  const capacity = { cpu: 4 }
  const held = { cpu: 0, memory: 0, disk: 0, network: 0 }
  /** Both have work for more than the runner that they share can do. */
  const shard = (tenant: string, tick: number) => ({
    tenant,
    pool: 'p',
    strategy: leastConnections(),
    lanes: [
      lane(
        '5|',
        Array.from({ length: 9 }, (_, n) => head(`task_${tenant}${tick}.${n}.s`, n)),
      ),
    ],
    agents: [agent(`${tenant}/x`, 50, 0, [], { rooms: [{ key: 'runner', capacity, held }] })],
    budgets: new Map(),
    limit: 100,
  })

  test('share what is common to them by weight', () => {
    const shares = new FairShares()
    const counts = { a: 0, b: 0 }
    for (let tick = 0; tick < 100; tick++) {
      const decisions = decideShards([shard('a', tick), shard('b', tick)], {
        limit: 100,
        shares,
        weightOf: (tenant) => (tenant === 'b' ? 3 : 1),
      })
      counts.a += decisions[0]!.assignments.length
      counts.b += decisions[1]!.assignments.length
    }
    expect(counts.a + counts.b).toBe(400)
    expect(counts.b / counts.a).toBeCloseTo(3, 0)
  })

  test('the limit is shared as well, and what one does not want is the other’s', () => {
    const both = decideShards([shard('a', 0), shard('b', 0)], { limit: 3 })
    expect(both.map(({ assignments }) => assignments.length)).toEqual([2, 1])
    const alone = decideShards([shard('a', 0), { ...shard('b', 0), lanes: [] }], { limit: 3 })
    expect(alone.map(({ assignments }) => assignments.length)).toEqual([3, 0])
  })
})
