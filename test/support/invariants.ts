import { expect } from 'vitest'
import { endedRunStates, endedTaskStates, taskStates } from '../../src/orchestration/runs/states-contract.ts'
import type { TestDatabase } from './databases.ts'

const ended = endedTaskStates.map((state) => `'${state}'`).join(', ')
const endedRuns = endedRunStates.map((state) => `'${state}'`).join(', ')

/** Each names what must hold and finds the rows for which it does not. */
const rules: Readonly<Record<string, string>> = {
  'an agent counts the leases it has': `
    select a.id, a.used, count(t.id)::int as leases from agents a
    left join tasks t on t.tenant_id = a.tenant_id and t.agent_id = a.id and t.state in ('leased', 'running')
    group by a.tenant_id, a.id, a.used having a.used <> count(t.id)`,
  'an agent has no more leases than slots': 'select id, used, slots from agents where used > slots or used < 0',
  'a leased task has an agent, a runner and an end of its lease': `
    select id from tasks where state in ('leased', 'running')
      and (agent_id is null or runner_id is null or lease_until is null or fence = 0)`,
  'a task that is not leased has no lease': `
    select id, state from tasks where state not in ('leased', 'running') and lease_until is not null`,
  'a budget holds what its leased tasks hold': `
    select b.id, b.held, coalesce(sum(h.amount), 0)::int as holds from budgets b
    left join (select t.tenant_id, u.budget, u.amount, t.leased_at from tasks t
      cross join lateral unnest(t.budget_ids, t.holds) as u(budget, amount)
      where t.state in ('leased', 'running')) h on h.tenant_id = b.tenant_id and h.budget = b.id
        and (b.time_window in ('total', 'run') or h.leased_at >= b.window_start)
    group by b.tenant_id, b.id, b.held, b.reserved having b.held - b.reserved <> coalesce(sum(h.amount), 0)`,
  'a window that is over holds what its leased tasks hold': `
    select w.budget_id, w.window_start, w.leased, coalesce(sum(h.amount), 0)::int as holds from budget_windows w
    left join (select t.tenant_id, u.budget, u.amount, t.leased_at from tasks t
      cross join lateral unnest(t.budget_ids, t.holds) as u(budget, amount)
      where t.state in ('leased', 'running')) h on h.tenant_id = w.tenant_id and h.budget = w.budget_id
        and h.leased_at >= w.window_start and h.leased_at < w.window_end
    group by w.tenant_id, w.budget_id, w.window_start, w.leased having w.leased <> coalesce(sum(h.amount), 0)`,
  'no budget is overshot, but by what is reported':
    'select id, held, spent, hard_limit from budgets where held + spent - reported > hard_limit',
  'a step counts its open tasks': `
    select s.run_id, s.step, s.state, s.open, count(t.id)::int as tasks from run_steps s
    left join tasks t on t.tenant_id = s.tenant_id and t.run_id = s.run_id and t.step = s.step and t.state not in (${ended})
    group by s.tenant_id, s.run_id, s.step, s.state, s.open having s.open <> count(t.id)`,
  'a step with open tasks is open itself': `select run_id, step, state, open from run_steps
    where (open > 0) <> (state in ('running', 'waiting'))`,
  'a concurrency group counts the places that are taken': `
    select g.key, g.used, count(h.id)::int as holders from concurrency_groups g
    left join (
      select t.tenant_id, u.key, t.id from tasks t cross join lateral unnest(t.concurrency) as u(key)
        where t.state not in (${ended}) and not (t.state = 'waiting' and t.reason ~ '^(concurrency|paused-queue):')
      union all
      select r.tenant_id, r.concurrency_key, r.id from runs r
        where r.concurrency_key is not null and r.started_at is not null and r.state not in (${endedRuns})
    ) h on h.tenant_id = g.tenant_id and h.key = g.key
    group by g.tenant_id, g.key, g.used having g.used <> count(h.id)`,
  'no concurrency group is over its limit':
    'select key, used, max from concurrency_groups where used > max or used < 0',
  'nobody waits for a place that is free': `
    select t.id, t.reason, g.used, g.max from tasks t
    join concurrency_groups g on g.tenant_id = t.tenant_id and 'concurrency:' || g.key = t.reason
    where t.state = 'waiting' and g.used < g.max`,
  'no run waits for a place that is free': `
    select r.id, g.used, g.max from runs r
    join concurrency_groups g on g.tenant_id = r.tenant_id and g.key = r.concurrency_key
    where r.state = 'pending' and g.used < g.max`,
  'the events of a task and of a run have the revisions 1, 2, 3 in the order of the log': `
    select e.subject_kind, e.subject_id, array_agg(e.subject_rev order by e.seq)::int[] as revs from events e
    where e.subject_kind in ('task', 'run') group by e.tenant_id, e.subject_kind, e.subject_id
    having array_agg(e.subject_rev order by e.seq) <> array(select generate_series(1, max(e.subject_rev)))`,
  'the revision of a task is that of its last event': `
    select t.id, t.rev, max(e.subject_rev) as last from tasks t
    left join events e on e.tenant_id = t.tenant_id and e.subject_kind = 'task' and e.subject_id = t.id
    group by t.tenant_id, t.id, t.rev having t.rev is distinct from max(e.subject_rev)`,
  'the revision of a run is that of its last event': `
    select r.id, r.rev, max(e.subject_rev) as last from runs r
    left join events e on e.tenant_id = r.tenant_id and e.subject_kind = 'run' and e.subject_id = r.id
    group by r.tenant_id, r.id, r.rev having r.rev is distinct from max(e.subject_rev)`,
  'the revisions of a step go up in the order of the log, to its own': `
    select * from (
      select s.run_id, s.step, s.rev, array_agg(e.subject_rev order by e.seq)::int[] as revs from run_steps s
      join events e on e.tenant_id = s.tenant_id and e.subject_kind = 'step' and e.subject_id = s.run_id || '/' || s.step
      group by s.tenant_id, s.run_id, s.step, s.rev) x
    where revs <> array(select generate_series(rev - cardinality(revs) + 1, rev))`,
  'an ended run has no open step': `
    select r.id, s.step, s.state from runs r join run_steps s on s.tenant_id = r.tenant_id and s.run_id = r.id
    where r.state in (${endedRuns}) and s.state not in (${ended})`,
  'an ended run has no open task': `
    select r.id, t.id, t.state, t.reason from runs r join tasks t on t.tenant_id = r.tenant_id and t.run_id = r.id
    where r.state in (${endedRuns}) and t.state not in (${ended})`,
  'an ended run has an end and an outcome, an open one has no end': `
    select id, state, outcome, ended_at from runs where (state in (${endedRuns})) <> (ended_at is not null)
      or (ended_at is not null and outcome is distinct from state)`,
  'an ended run has no timers': `
    select r.id, m.id as timer from timers m join runs r on r.tenant_id = m.tenant_id and r.state in (${endedRuns})
      and (m.subject_id = r.id or exists (select from tasks t where t.tenant_id = r.tenant_id and t.run_id = r.id and t.id = m.subject_id)
        or exists (select from approvals a where a.tenant_id = r.tenant_id and a.run_id = r.id and a.id = m.subject_id))`,
  'an ended run has no groups of its own': `
    select r.id, g.key from concurrency_groups g join runs r on r.tenant_id = g.tenant_id and r.state in (${endedRuns})
      and (g.key = 'run:' || r.id or g.key like 'map:' || r.id || '/%')`,
  'a question is open while its task waits for the answer': `
    select a.id, a.state, t.state as task from approvals a
    join tasks t on t.tenant_id = a.tenant_id and t.id = a.task_id
    where (a.state = 'pending') <> (t.state not in (${ended}))`,
  'a wait for an event belongs to a task that waits': `
    select w.task_id, t.state from event_waits w join tasks t on t.tenant_id = w.tenant_id and t.id = w.task_id
    where t.state in (${ended})`,
  'a task that waits for a run has one that is open': `
    select t.id from tasks t where t.state = 'waiting' and t.reason = 'run'
      and not exists (select from runs r where r.tenant_id = t.tenant_id and r.parent_task = t.id and r.state not in (${endedRuns}))`,
  'no task succeeded twice': `
    select subject_id from events where type = 'task.succeeded' group by tenant_id, subject_id having count(*) > 1`,
  'no two attempts of a task have one fence or one number': `
    select task_id, attempt from attempts group by tenant_id, task_id, attempt having count(*) > 1`,
  'each lease of a task is an ended attempt, or the one under way': `
    select t.id, t.attempt, count(a.*)::int as ended from tasks t
    left join attempts a on a.tenant_id = t.tenant_id and a.task_id = t.id
    group by t.tenant_id, t.id, t.attempt, t.state
    having t.attempt <> count(a.*) + (t.state in ('leased', 'running'))::int`,
}

/** What must hold whenever no transaction is under way, whatever happened before. */
export async function checkInvariants(owner: TestDatabase['owner']): Promise<void> {
  const rows = await owner<{ rule: string; rows: unknown }>(allRules)
  const broken = Object.fromEntries(rows.map((row) => [row.rule, row.rows]))
  Object.assign(broken, await illegalSteps(owner))
  expect(broken).toEqual({})
}

const allRules = Object.entries(rules)
  .map(([rule, text]) => `select '${rule}' as rule, json_agg(r) as rows from (${text} limit 5) r having count(*) > 0`)
  .join('\nunion all\n')

/** The states through which a task went, by its events, against the table. */
async function illegalSteps(owner: TestDatabase['owner']): Promise<Record<string, unknown>> {
  const rows = await owner<{ id: string; types: string[] }>(`
    select subject_id as id, array_agg(type order by seq) as types from events where subject_kind = 'task'
    group by tenant_id, subject_id`)
  const stateOf = (type: string) => {
    const name = type.slice('task.'.length)
    return (name === 'lost' ? 'ready' : name === 'retrying' ? 'waiting' : name) as keyof typeof taskStates
  }
  const legal = (from: keyof typeof taskStates, to: keyof typeof taskStates) =>
    Object.values(taskStates[from]).includes(to)
  const bad = rows.filter(({ types }) => {
    const states = types.map(stateOf)
    const first = states[0]
    if (first !== 'ready' && first !== 'waiting') return true
    return states.some((to, index) => index > 0 && !legal(states[index - 1]!, to))
  })
  return bad.length === 0 ? {} : { 'a task goes the ways that the table allows': bad.slice(0, 5) }
}
