import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ResolvedBudget, ResolvedCommand } from '../workflows/task-contract.ts'
import { type BudgetLeft, holdsOf, killGraceMs, limitsOf } from './budget-rules-contract.ts'

const ref = { tenant: 'default' as TenantId, taskId: 'task_1' }

function work(parts: Partial<ResolvedCommand> = {}): ResolvedCommand {
  return {
    kind: 'command',
    argv: ['true'],
    stdin: null,
    stepId: 'step',
    timeoutMs: 60_000,
    priority: 5,
    labels: {},
    risky: false,
    allowFailure: false,
    retry: { attempts: 1, backoff: { initialMs: 1, factor: 1, maxMs: 1, jitter: 0 } },
    resources: { cpuCores: 1, memoryBytes: 1, diskBytes: 1, networkMbps: 1 },
    budget: {},
    concurrency: null,
    pool: null,
    capabilities: [],
    workspace: 'none',
    env: {},
    secretEnv: {},
    outputs: {},
    ...parts,
  }
}

function known(unit: string, left: number | null): BudgetLeft {
  return { id: `run:${unit}`, unit, left }
}

test('limits are kept in the units of the ledger', () => {
  expect(limitsOf({})).toEqual([])
  expect(limitsOf({ microUsd: 1, tokens: 2, runs: 3, cpuMs: 4, wallMs: 5 })).toEqual([
    { unit: 'micro-usd', limit: 1 },
    { unit: 'tokens', limit: 2 },
    { unit: 'runs', limit: 3 },
    { unit: 'cpu-ms', limit: 4 },
    { unit: 'wall-ms', limit: 5 },
  ])
})

describe('what a task holds', () => {
  test('is nothing where no budget binds it, and its timeout is its own', () => {
    expect(holdsOf(ref, work(), [])).toEqual({ budgetIds: [], holds: [], budgets: [], timeoutMs: null })
  })

  test('is one run, and its time with the grace of a kill, cores counted for processor time', () => {
    const budgets = [known('runs', 10), known('wall-ms', null), known('cpu-ms', null)]
    const held = holdsOf(ref, work({ resources: { ...work().resources, cpuCores: 2.5 } }), budgets)
    expect(held).toEqual({
      budgetIds: ['run:runs', 'run:wall-ms', 'run:cpu-ms'],
      holds: [1, 65_000, 162_500],
      budgets: [],
      timeoutMs: 60_000,
    })
  })

  test('is nothing in money and tokens, which are told afterwards', () => {
    expect(holdsOf(ref, work(), [known('micro-usd', 5), known('tokens', 7)]).holds).toEqual([0, 0])
  })

  test('counts a fraction of a core as a whole one', () => {
    const held = holdsOf(ref, work({ resources: { ...work().resources, cpuCores: 0.25 } }), [known('cpu-ms', null)])
    expect(held.holds).toEqual([65_000])
  })

  test('a smaller budget of time shortens the timeout, so that the hold fits', () => {
    expect(holdsOf(ref, work(), [known('wall-ms', 30_000)])).toMatchObject({ timeoutMs: 25_000, holds: [30_000] })
    const four = work({ resources: { ...work().resources, cpuCores: 4 } })
    expect(holdsOf(ref, four, [known('cpu-ms', 80_000)])).toMatchObject({ timeoutMs: 15_000, holds: [80_000] })
  })

  test('an attempt is never given less than a second', () => {
    expect(holdsOf(ref, work(), [known('wall-ms', 1)]).timeoutMs).toBe(1_000)
  })

  test("a task's own budget is new, bears its id, and comes before those above it", () => {
    const held = holdsOf(ref, work({ budget: { wallMs: 20_000, runs: 2 } }), [known('runs', 10)])
    expect(held).toEqual({
      budgetIds: ['task:task_1:runs', 'task:task_1:wall-ms', 'run:runs'],
      holds: [1, 20_000, 1],
      budgets: [
        { tenant: 'default', id: 'task:task_1:runs', scope: 'task', scopeId: 'task_1', unit: 'runs', hardLimit: 2 },
        {
          tenant: 'default',
          id: 'task:task_1:wall-ms',
          scope: 'task',
          scopeId: 'task_1',
          unit: 'wall-ms',
          hardLimit: 20_000,
        },
      ],
      timeoutMs: 15_000,
    })
  })
})

test('whatever the budgets, the hold covers all the time an attempt can take', () => {
  const limits = fc.record(
    { cpuMs: fc.integer({ min: 1, max: 1e8 }), wallMs: fc.integer({ min: 1, max: 1e8 }) },
    { requiredKeys: [] },
  )
  const above = fc.array(
    fc.record({ unit: fc.constantFrom('wall-ms', 'cpu-ms'), left: fc.option(fc.integer({ min: 1, max: 1e8 })) }),
    { maxLength: 3 },
  )
  const cores = fc.double({ min: 0.1, max: 64, noNaN: true })
  fc.assert(
    fc.property(limits, above, cores, fc.integer({ min: 1_000, max: 1e8 }), (budget, list, cpuCores, timeoutMs) => {
      const task = work({ timeoutMs, budget: budget as ResolvedBudget, resources: { ...work().resources, cpuCores } })
      const knownBudgets = list.map(({ unit, left }, n): BudgetLeft => ({ id: `run:${n}`, unit, left }))
      const held = holdsOf(ref, task, knownBudgets)
      if (held.timeoutMs === null) return
      expect(held.timeoutMs).toBeLessThanOrEqual(timeoutMs)
      const units = [...held.budgets.map((own) => own.unit), ...knownBudgets.map((other) => other.unit)]
      for (const [n, unit] of units.entries()) {
        const most = (held.timeoutMs + killGraceMs) * (unit === 'cpu-ms' ? Math.max(1, cpuCores) : 1)
        expect(held.holds[n]).toBeGreaterThanOrEqual(most)
      }
    }),
  )
})
