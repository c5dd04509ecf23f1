import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { leastConnections } from '../../foundation/balancing/least-connections.ts'
import { addAmounts, nothingHeld, type ResourceAmounts, usualRequest } from '../resources/amounts-contract.ts'
import { profileOf } from './agent-profile.ts'
import { agent, head, lane, snapshot } from './decide.fixture.ts'
import { decide, type FreeAgent, type Lane } from './decide.ts'
import type { LaneRequirements } from './lane-contract.ts'
import { mayServe, preferenceOf, unfitFor } from './placement.ts'

const wanted = (more: Partial<LaneRequirements> = {}): LaneRequirements => ({ priority: 5, capabilities: [], ...more })
const gpu = profileOf(['code:4', 'review'], { gpu: 'a100', region: 'eu-west', taints: ['dear'] })
const plain = profileOf(['code'], {})

describe('what a registration says', () => {
  test('labels of the user, and the reserved ones', () => {
    expect(
      profileOf(['a'], { zone: 'x', region: 'eu', taints: ['t'], resources: { cpu: 4, memory: 'x', disk: 9 } }),
    ).toMatchObject({
      labels: { zone: 'x', region: 'eu' },
      region: 'eu',
      taints: ['t'],
      capacity: { cpu: 4, disk: 9 },
      runnerCapacity: null,
    })
  })
})

describe('where work may go', () => {
  test.each<[string, Partial<LaneRequirements>, boolean, boolean]>([
    ['anything, where nothing is asked for, but to tainted agents', {}, false, true],
    ['tolerated taints', { tolerations: ['dear', 'other'] }, true, true],
    ['a level', { capabilities: ['code:3'], tolerations: ['dear'] }, true, false],
    ['too high a level', { capabilities: ['code:5'], tolerations: ['dear'] }, false, false],
    ['a label', { labels: { gpu: 'a100' }, tolerations: ['dear'] }, true, false],
    ['another value of it', { labels: { gpu: 'h100' }, tolerations: ['dear'] }, false, false],
    ['a label to avoid', { avoidedLabels: { gpu: 'a100' }, tolerations: ['dear'] }, false, true],
    ['a region', { region: 'eu-west', tolerations: ['dear'] }, true, false],
  ])('%s', (_, more, onGpu, onPlain) => {
    expect([mayServe(gpu, wanted(more)), mayServe(plain, wanted(more))]).toEqual([onGpu, onPlain])
  })

  test('what is missing is named', () => {
    expect(unfitFor(gpu, wanted())).toBe('is free of the taint dear')
    expect(unfitFor(plain, wanted({ region: 'eu' }))).toBe('is in the region eu')
    expect(unfitFor(plain, wanted({ labels: { gpu: 'x' } }))).toBe('has the label gpu: x')
    expect(unfitFor(plain, wanted({ region: 'eu' }))).not.toBe(null)
    expect(unfitFor(plain, wanted())).toBe(null)
  })

  test('wishes are counted', () => {
    const wishes = wanted({ preferredLabels: { gpu: 'a100', zone: 'b' }, preferredCapabilities: ['review', 'code:9'] })
    expect([preferenceOf(gpu, wishes), preferenceOf(plain, wishes)]).toEqual([2, 0])
  })
})

describe('decisions', () => {
  const heads = (count: number, name = 't') => Array.from({ length: count }, (_, n) => head(`${name}${n}`, n))
  const places = (lanes: readonly Lane[], agents: readonly FreeAgent[], more = {}) =>
    decide(snapshot({ lanes, agents, ...more }), leastConnections()).assignments.map((item) => item.agentId)

  test('wishes come first, and are no reason to wait', () => {
    const agents = [agent('a', 2), agent('b', 1, 0, [], { labels: { fast: 'yes' } })]
    const of = lane('5|', heads(3), 5, [], { preferredLabels: { fast: 'yes' } })
    expect(places([of], agents)).toEqual(['b', 'a', 'a'])
  })

  test('a step may choose in its own way', () => {
    const agents = [agent('a', 9, 8), agent('b', 9, 0), agent('c', 9, 0)]
    const own = lane('5||s', heads(3), 5, [], { strategy: 'round_robin' })
    expect(places([own], agents)).toEqual(['a', 'b', 'c'])
    expect(places([lane('5|', heads(2))], agents)).toEqual(['b', 'c'])
  })

  test('work that belongs together stays together, as far as the load allows', () => {
    const agents = ['a', 'b', 'c', 'd'].map((id) => agent(id, 100))
    const of = (affinity: string) =>
      lane(`5||a=${affinity}`, heads(1, affinity), 5, [], { strategy: 'consistent_hash', affinity })
    const first = places([of('7')], agents)
    expect(places([of('7')], agents.toReversed())).toEqual(first)
    expect(
      new Set(['1', '2', '3', '4', '5', '6', '7', '8'].flatMap((key) => places([of(key)], agents))).size,
    ).toBeGreaterThan(1)
  })

  test('work that is to be apart is, beside what runs and beside each other', () => {
    const agents = ['a', 'b', 'c'].map((id) => agent(id, 9, 0, [], { runnerId: id === 'c' ? 'r2' : 'r1' }))
    const of = (scope: 'agent' | 'runner') => lane('5||n', heads(9), 5, [], { apart: { key: 'k', scope } })
    expect(places([of('agent')], agents)).toEqual(['a', 'b', 'c'])
    expect(places([of('agent')], agents, { occupied: new Map([['agent:k', new Set(['b'])]]) })).toEqual(['a', 'c'])
    expect(places([of('runner')], agents)).toEqual(['a', 'c'])
    expect(places([of('runner')], agents, { occupied: new Map([['runner:k', new Set(['r1'])]]) })).toEqual(['c'])
  })
})

describe('resources', () => {
  const amount = fc.constantFrom(0, 0.5, 1, 2, 3.7, 8)
  const amounts: fc.Arbitrary<ResourceAmounts> = fc.record({
    cpu: amount,
    memory: amount,
    disk: amount,
    network: amount,
  })
  const capacity = fc.record({ cpu: amount, memory: amount, disk: amount, network: amount }, { requiredKeys: [] })

  test('are never over-committed, by any sequence of decisions and ends', () => {
    const agents = fc.array(
      fc.record({ slots: fc.integer({ min: 1, max: 6 }), capacity, runner: fc.constantFrom('r1', 'r2') }),
      {
        minLength: 1,
        maxLength: 4,
      },
    )
    const runners = fc.record({ r1: capacity, r2: capacity })
    const rounds = fc.array(
      fc.record({ arrive: fc.array(amounts, { maxLength: 5 }), end: fc.array(fc.nat(20), { maxLength: 4 }) }),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(
        agents,
        runners,
        rounds,
        fc.constantFrom('least_connections', 'resource_based', 'weighted'),
        (fleet, hosts, sequence, strategy) => {
          const leases: { agent: number; request: ResourceAmounts }[] = []
          const shares = undefined
          let waiting: { id: string; request: ResourceAmounts }[] = []
          let count = 0
          const heldBy = (mine: (agentIndex: number) => boolean) =>
            leases.filter((one) => mine(one.agent)).reduce((sum, one) => addAmounts(sum, one.request), nothingHeld)
          for (const { arrive, end } of sequence) {
            for (const index of end) if (index < leases.length) leases.splice(index, 1)
            waiting.push(...arrive.map((request) => ({ id: `task_${count++}.0.s`, request })))
            const lanes = waiting.map(({ id, request }, n) =>
              lane(`5||${id}`, [head(id, n)], 5, [], { resources: request, strategy: strategy as 'weighted' }),
            )
            const free = fleet.map((one, n) =>
              agent(`a${n}`, one.slots, leases.filter((lease) => lease.agent === n).length, [], {
                runnerId: one.runner,
                rooms: [
                  { key: `agent ${n}`, capacity: one.capacity, held: heldBy((index) => index === n) },
                  {
                    key: one.runner,
                    capacity: hosts[one.runner],
                    held: heldBy((index) => fleet[index]!.runner === one.runner),
                  },
                ],
              }),
            )
            const { assignments } = decide(snapshot({ lanes, agents: free }), leastConnections(), shares ?? {})
            for (const { taskId, agentId } of assignments) {
              leases.push({
                agent: Number(agentId.slice(1)),
                request: waiting.find((one) => one.id === taskId)!.request,
              })
            }
            const given = new Set(assignments.map((one) => one.taskId))
            waiting = waiting.filter((one) => !given.has(one.id))
            const within = (most: Partial<ResourceAmounts>, held: ResourceAmounts) => {
              for (const [name, limit] of Object.entries(most))
                expect(held[name as 'cpu']).toBeLessThanOrEqual(limit * (1 + 1e-6))
            }
            fleet.forEach((one, n) => {
              within(
                one.capacity,
                heldBy((index) => index === n),
              )
              expect(leases.filter((lease) => lease.agent === n).length).toBeLessThanOrEqual(one.slots)
            })
            for (const name of ['r1', 'r2'] as const)
              within(
                hosts[name],
                heldBy((index) => fleet[index]!.runner === name),
              )
            // Nor is anything left lying that would fit.
            for (const { request } of waiting) {
              fleet.forEach((one, n) => {
                const used = leases.filter((lease) => lease.agent === n).length
                const fits = (most: Partial<ResourceAmounts>, held: ResourceAmounts) =>
                  Object.entries(most).every(([name, limit]) => held[name as 'cpu'] + request[name as 'cpu'] <= limit)
                const open =
                  used < one.slots &&
                  fits(
                    one.capacity,
                    heldBy((index) => index === n),
                  ) &&
                  fits(
                    hosts[one.runner],
                    heldBy((index) => fleet[index]!.runner === one.runner),
                  )
                expect(open).toBe(false)
              })
            }
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test('that the step does not name are the usual ones', () => {
    const room = { key: 'x', capacity: { cpu: 2 }, held: nothingHeld }
    const { assignments } = decide(
      snapshot({
        lanes: [
          lane(
            '5|',
            [1, 2, 3].map((n) => head(`t${n}`, n)),
          ),
        ],
        agents: [agent('x', 9, 0, [], { rooms: [room] })],
      }),
      leastConnections(),
    )
    expect(usualRequest.cpu).toBe(1)
    expect(assignments).toHaveLength(2)
  })
})
