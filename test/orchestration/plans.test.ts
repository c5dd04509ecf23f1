import { expect, test } from 'vitest'
import type { AgentId, RunId, TaskId, TenantId } from '../../src/foundation/kernel/ids.ts'
import type { Scope, Tx } from '../../src/foundation/platform/database/database.ts'
import { planLikeSystem } from '../../src/foundation/platform/database/plan-settings.ts'
import { budgetsOfRuns } from '../../src/orchestration/budgets/budgets-store.ts'
import { applyCounters } from '../../src/orchestration/coordinator/sql/apply-counters.ts'
import { assignTasks } from '../../src/orchestration/coordinator/sql/assign-tasks.ts'
import { changeTasks } from '../../src/orchestration/coordinator/sql/change-tasks.ts'
import { completeTasks } from '../../src/orchestration/coordinator/sql/complete-tasks.ts'
import { holdTasks } from '../../src/orchestration/coordinator/sql/hold-tasks.ts'
import { moveBack } from '../../src/orchestration/coordinator/sql/move-back.ts'
import { readHeads } from '../../src/orchestration/coordinator/sql/read-heads.ts'
import { readLeases } from '../../src/orchestration/coordinator/sql/read-leases.ts'
import { touchTasks } from '../../src/orchestration/coordinator/sql/touch-tasks.ts'
import type { AttemptReport } from '../../src/orchestration/runners/exchange-contract.ts'
import type { StepRow } from '../../src/orchestration/runs/run-rows.ts'
import { readSteps, saveSteps } from '../../src/orchestration/runs/runs-store.ts'
import { eachDatabase, type TestDatabase } from '../support/databases.ts'
import { explaining, type Plan } from '../support/explain.ts'

const tenant = 'default' as TenantId
const now = new Date()
const many = Number(process.env.LEANVIBE_PLAN_TASKS ?? 200_000)
const ids = Array.from({ length: 200 }, (_, n) => `task_r${n}.0.${n}` as TaskId)
const refs = ids.map((taskId) => ({ tenant, taskId }))
const lane = { tenant, pool: 'default', lane: '5|', limit: 200 }

const run = { tenant, runId: 'run_r1' as RunId }
const step: StepRow = {
  ...{ step: 's', position: 0, state: 'running', rev: 1, reason: null, byCondition: false, outputs: null, error: null },
  ...{ total: 1, open: 1, failed: 0, cancelled: 0, tolerate: 0, startedAt: now, endedAt: null },
}

const report = (taskId: TaskId): AttemptReport => ({
  ...{ tenant, taskId, fence: 1, outcome: 'succeeded', startedAt: now.toISOString(), endedAt: now.toISOString() },
  ...{ output: {}, error: null, artifacts: [], workspaceCommit: null },
  usage: { cpuSeconds: 1, maxRssBytes: 1, wallSeconds: 1 },
})

/** What each statement is to come by: table, index and the columns it searches by. */
interface Expected {
  readonly run: (tx: Tx) => Promise<unknown>
  readonly by: readonly string[]
  /** The statement is sent in transactions of one tenant, whose policy has a part in the plan. */
  readonly ofTenant?: true
}

const byKey = 'tasks by tasks_pkey (tenant_id, id)'
const budgets = 'budgets by budgets_pkey (tenant_id, id)'
const shared = ['run_steps by run_steps_pkey (tenant_id, run_id, step)']
const statements: Readonly<Record<string, Expected>> = {
  'assign-tasks': {
    run: (tx) =>
      assignTasks(
        tx,
        refs.map((ref) => ({ ...ref, agentId: 'agent_1', runnerId: 'rnr_1' })),
        now,
        1,
        'rnr_1',
      ),
    by: [byKey],
  },
  'complete-tasks': { run: (tx) => completeTasks(tx, ids.map(report), now), by: [byKey, ...shared, budgets] },
  'change-tasks': {
    run: (tx) =>
      changeTasks(
        tx,
        refs.map((ref) => ({ ...ref, fence: null, event: 'cancel', to: 'cancelled' })),
        now,
      ),
    by: [byKey, ...shared, budgets],
  },
  'touch-tasks': {
    run: (tx) =>
      touchTasks(
        tx,
        refs.map((ref) => ({ ...ref, fence: 1, at: now.toISOString() })),
        now,
      ),
    by: [byKey],
  },
  'hold-tasks': {
    run: (tx) =>
      holdTasks(
        tx,
        refs.map((ref) => ({ ...ref, reason: 'budget:b' })),
        now,
      ),
    by: [byKey],
  },
  'move-back': { run: (tx) => moveBack(tx, refs), by: [byKey] },
  'read-heads': {
    run: (tx) => readHeads(tx, [lane, { ...lane, lane: '5|gpu' }]),
    by: ['tasks by tasks_ready (tenant_id, pool, lane)', budgets],
  },
  'read-leases': { run: (tx) => readLeases(tx, 'rnr_1', [1, 2, 3]), by: ['tasks by tasks_leased (runner_id)'] },
  'apply-counters': {
    run: (tx) =>
      applyCounters(
        tx,
        {
          agents: [{ tenant, agentId: 'agent_1' as AgentId, used: 0 }],
          steps: [{ tenant, runId: 'run_r1' as RunId, step: 's', open: 0, failed: 0, cancelled: 0, seen: 1 }],
          budgets: [{ tenant, budget: 'b', held: 0, spent: 0 }],
        },
        now,
      ),
    by: ['agents by agents_pkey (tenant_id, id)', ...shared, budgets],
  },
  'save-steps': { run: (tx) => saveSteps(tx, [{ ...run, row: step, counts: true }], now), by: shared, ofTenant: true },
  'read-steps': {
    run: (tx) => readSteps(tx, [run]),
    by: ['run_steps by run_steps_pkey (tenant_id, run_id)'],
    ofTenant: true,
  },
  'budgets-of-runs': {
    run: (tx) => budgetsOfRuns(tx, tenant, [{ id: 'run_r1', workflow: 'w' }]),
    by: ['budgets by budgets_scope (scope_id, scope, tenant_id)'],
    ofTenant: true,
  },
}

/** Runs a statement in a transaction that is rolled back, and returns its plans. */
async function plansOf(scope: Scope, run: Expected['run']): Promise<readonly Plan[]> {
  const plans: Plan[] = []
  const rolledBack = new Error('rolled back on purpose')
  await scope
    .write(async (tx) => {
      planLikeSystem(tx)
      await run(explaining(tx, plans))
      throw rolledBack
    })
    .catch((error) => {
      if (error !== rolledBack) throw error
    })
  return plans
}

/** The log and what is merely inserted into are not read; nobody minds how `unnest` is joined. */
function accessesOf(plans: readonly Plan[]): string[] {
  const accesses = plans.flatMap((plan) =>
    plan.accesses.filter(({ table }) => !/^(event_batches|events_|past_attempts)/.test(table)),
  )
  const texts = accesses.map(({ table, index, columns }) => `${table} by ${index ?? 'a scan'} (${columns.join(', ')})`)
  return [...new Set(texts)].sort()
}

/** 200,000 tasks of one tenant: most have ended, a quarter is ready, some are leased or wait. */
const fill = (count: number) => `
  insert into tasks (tenant_id, id, run_id, step, state, reason, pool, lane, priority, timeout_ms, fence, agent_id, runner_id, created_at)
  select 'default', 'task_r' || n % 1000 || '.' || n / 1000 % 10 || '.' || n, 'run_r' || n % 1000, 's', s.state,
    case when s.state = 'waiting' then (array['budget:b', 'concurrency:k', 'approval', 'back-off'])[n % 4 + 1] end,
    'default', case when n % 3 = 0 then '5|gpu' else '5|' end, 5, 1000, n, 'agent_1', 'rnr_' || n % 50, now()
  from generate_series(1, ${count}) n
  cross join lateral (select case when n % 100 = 0 then 'leased' when n % 50 = 1 then 'waiting' when n % 4 = 0 then 'ready' else 'succeeded' end as state) s;
  insert into agents (tenant_id, id, pool, kind, state, slots, used, runner_id, registered_at, last_seen_at)
  select 'default', 'agent_' || n, 'default', 'command', 'healthy', 4, case when n % 10 = 0 then 0 else 4 end, 'rnr_' || n % 50, now(), now()
  from generate_series(1, ${Math.min(count, 10_000)}) n;
  insert into run_steps (tenant_id, run_id, step, position, state)
  select 'default', 'run_r' || n % 1000, 's' || n / 1000, n / 1000, 'running' from generate_series(1, ${Math.min(count, 20_000)}) n;
  insert into task_specs (tenant_id, id, spec)
  select 'default', 'task_r' || n % 1000 || '.' || n / 1000, '{}' from generate_series(1, ${Math.min(count, 10_000)}) n;
  insert into budgets (tenant_id, id, scope, scope_id, unit, hard_limit)
  select 'default', 'run:' || n, 'run', n::text, 'runs', 10 from generate_series(1, ${Math.min(count, 10_000)}) n;
  insert into concurrency_groups (tenant_id, key, max)
  select 'default', 'k' || n, 1 from generate_series(1, ${Math.min(count, 5_000)}) n;
  insert into pools (tenant_id, name) values ('default', 'default')`

const tables = 'tasks, agents, run_steps, task_specs, budgets, concurrency_groups, pools'

/** How the planner's knowledge relates to what is there; each follows from the one before. */
const situations: readonly (readonly [string, (owner: TestDatabase['owner'], count: number) => Promise<unknown>])[] = [
  ['no rows, no statistics', async () => undefined],
  ['some rows, no statistics', (owner) => owner(fill(600))],
  ['no rows, and that is known', (owner) => owner(`truncate ${tables}; analyze ${tables}`)],
  ['many rows, known as none', (owner, count) => owner(fill(count))],
  ['many rows, as they are', (owner) => owner(`analyze ${tables}`)],
  [
    'many rows, known as they were',
    (owner) => owner("update tasks set state = 'succeeded' where state <> 'succeeded' and fence % 40 > 0"),
  ],
]

eachDatabase('the plans of the hot statements', (use) => {
  test('come by their keys, whatever the tables hold and whatever is known of it', async () => {
    const { db, owner, kind } = use()
    const missing: string[] = []
    for (const table of tables.split(', ')) await owner(`alter table ${table} set (autovacuum_enabled = false)`)
    for (const [situation, prepare] of situations) {
      await prepare(owner, kind === 'pglite' ? 5_000 : many)
      // Over tables without a page every way costs the same, and plans are not kept for long.
      if (situation.startsWith('no rows')) continue
      for (const [name, { run, by, ofTenant }] of Object.entries(statements)) {
        const accesses = accessesOf(await plansOf(ofTenant ? db.forTenant(tenant) : db.asSystem('test'), run))
        // Of what grows with use nothing else may be read than the rows that were named; the other tables are small.
        const wrong = accesses.filter((access) => /^(tasks|run_steps|budgets) /.test(access) && !by.includes(access))
        const lacking = by.filter((access) => !accesses.includes(access))
        if (wrong.length + lacking.length > 0) missing.push(`${name}, ${situation}: ${wrong} instead of ${lacking}`)
      }
    }
    expect(missing.join('\n')).toBe('')
  }, 120_000)
})
