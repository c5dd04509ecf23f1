import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AgentId, TenantId } from '../../foundation/kernel/ids.ts'
import { type AgentState, agentStates } from './agents-states-contract.ts'
import type { AgentIntent, AgentRow } from './agents-store.ts'
import { sizePool } from './size-pool.ts'

let made = 0
function agent(state: AgentState, intent: AgentIntent | null = null, used = 0): AgentRow {
  made += 1
  return {
    tenant: 'default' as TenantId,
    id: `a${made}` as AgentId,
    pool: 'p',
    state,
    intent,
    rev: 1,
    slots: 4,
    used,
    runnerId: `r${made}`,
    registeredAt: new Date(made * 1_000),
  }
}
const ids = (agents: readonly AgentRow[]) => agents.map((one) => one.id)

describe('the size of a pool', () => {
  test('those on their way out stay, then warm ones work, then new ones start', () => {
    const leaving = agent('draining', 'remove', 2)
    const warm = [agent('starting', 'warm'), agent('starting', 'warm')]
    const moves = sizePool([agent('healthy'), leaving, ...warm], { desired: 6, warm: 1 })
    expect(ids(moves.recall)).toEqual([leaving.id])
    expect(ids(moves.promote)).toEqual(ids(warm))
    expect(moves).toMatchObject({ start: 2, startWarm: 1, drain: [] })
  })

  test('those that hold least go, the youngest first', () => {
    const [busy, old, young] = [agent('healthy', null, 3), agent('healthy'), agent('healthy')]
    expect(ids(sizePool([busy, old, young], { desired: 2, warm: 0 }).drain)).toEqual([young.id])
    expect(ids(sizePool([busy, old, young], { desired: 1, warm: 0 }).drain)).toEqual([young.id, old.id])
  })

  test('what people hold back is left alone and does not count', () => {
    const moves = sizePool([agent('draining', 'cordon'), agent('draining', 'drain', 1)], { desired: 1, warm: 0 })
    expect(moves).toMatchObject({ start: 1, drain: [], recall: [] })
  })
})

const anyAgent = fc.oneof(
  fc.record({
    state: fc.constantFrom('starting', 'healthy', 'degraded', 'unhealthy', 'offline'),
    intent: fc.constant(null),
  }),
  fc.record({ state: fc.constant('draining'), intent: fc.constantFrom('cordon', 'drain', 'remove') }),
  fc.record({ state: fc.constant('starting'), intent: fc.constant('warm') }),
)

describe('for any pool', () => {
  test('the moves lead to the size, each agent moves once, and every move is legal', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyAgent, fc.integer({ min: 0, max: 4 })), { maxLength: 20 }),
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 0, max: 5 }),
        (kinds, desired, warm) => {
          const agents = kinds.map(([{ state, intent }, used]) =>
            agent(state as AgentState, intent as AgentIntent | null, used),
          )
          const { promote, recall, drain, start, startWarm } = sizePool(agents, { desired, warm })
          const moved = ids([...promote, ...recall, ...drain])
          expect(new Set(moved).size).toBe(moved.length)
          for (const one of promote) expect(agentStates[one.state].ready).not.toBeNull()
          for (const one of recall) expect(agentStates[one.state].resume).not.toBeNull()
          for (const one of drain) expect(agentStates[one.state].drain).not.toBeNull()
          const working = agents.filter((one) => one.intent === null && one.state !== 'offline')
          const idle = agents.filter((one) => one.intent === 'warm')
          const gone = new Set(ids(drain))
          const left = working.filter((one) => !gone.has(one.id)).length
          expect(left + promote.length + recall.length + start).toBe(desired)
          const warmLeft = idle.filter((one) => !gone.has(one.id)).length - promote.length
          expect(warmLeft + startWarm).toBe(warm)
          expect(start).toBeGreaterThanOrEqual(0)
          expect(startWarm).toBeGreaterThanOrEqual(0)
        },
      ),
      { numRuns: 300 },
    )
  })
})

test('an agent comes back from wherever it was, unless it is being stopped', () => {
  for (const state of ['starting', 'healthy', 'degraded', 'unhealthy', 'offline'] as const) {
    expect(agentStates[state].ready).toBe('healthy')
  }
  expect(agentStates.draining.ready).toBe('draining')
  expect(agentStates.stopping.ready).toBeNull()
  for (const state of Object.keys(agentStates) as AgentState[]) {
    if (state !== 'offline') expect(agentStates[state].lose).toBe('offline')
  }
})
