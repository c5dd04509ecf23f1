import { expect } from 'vitest'
import type { TestDatabase } from './databases.ts'

/** Each names what must hold of budgets and reservations whenever no transaction is under way, and finds where it does not. */
const rules: Readonly<Record<string, string>> = {
  'nothing but what is reported goes beyond a hard limit':
    'select id, held, spent, reported, hard_limit from budgets where held + spent - reported > hard_limit',
  'nothing goes beyond a hard limit where nothing is reported':
    'select id, held, spent, hard_limit from budgets where reported = 0 and held + spent > hard_limit',
  'what is reserved is held': 'select id, held, reserved from budgets where reserved > held or reserved < 0',
  'a budget has reserved what its reservations of this window hold': `
    select b.id, b.reserved, coalesce(l.held, 0)::int as lines from budgets b left join lines l
      on l.tenant_id = b.tenant_id and l.budget = b.id and l.win is not distinct from b.window_start
    where b.reserved <> coalesce(l.held, 0)`,
  'a budget has spent what its reservations of this window say, and what tasks did': `select b.id, b.spent, b.metered, b.reported, coalesce(l.spent, 0)::int as lines from budgets b left join lines l
      on l.tenant_id = b.tenant_id and l.budget = b.id and l.win is not distinct from b.window_start
    where b.metered <> coalesce(l.metered, 0) or b.reported <> coalesce(l.reported, 0) or b.spent < coalesce(l.spent, 0)`,
  'a window that is over adds up to its reservations': `
    select w.budget_id, w.window_start, w.held, w.leased, w.spent, coalesce(l.held, 0)::int as l_held, coalesce(l.spent, 0)::int as l_spent
    from budget_windows w left join lines l on l.tenant_id = w.tenant_id and l.budget = w.budget_id and l.win = w.window_start
    where w.held - w.leased <> coalesce(l.held, 0) or w.leased < 0 or w.spent < coalesce(l.spent, 0)
      or w.metered <> coalesce(l.metered, 0) or w.reported <> coalesce(l.reported, 0)`,
  'a reservation is open as long as it has no end': `
    select id, state, ended_at from reservations where (state in ('held', 'waiting')) <> (ended_at is null)`,
  'who waits holds nothing': `select id from reservations where state = 'waiting' and 0 < any (holds)`,
}

const lines = `with lines as (
  select r.tenant_id, u.budget, u.win, sum(case when r.state = 'held' then r.holds[u.k] else 0 end) as held,
    sum(r.spent[u.k]) as spent, coalesce(sum(r.spent[u.k]) filter (where r.enforcement = 'metered'), 0) as metered,
    coalesce(sum(r.spent[u.k]) filter (where r.enforcement = 'reported'), 0) as reported
  from reservations r cross join lateral unnest(r.budget_ids, r.budget_units, r.budget_windows) as u(budget, k, win)
  group by 1, 2, 3)`

/** Fails where the ledger does not add up to the micro-dollar. */
export async function checkLedger(owner: TestDatabase['owner']): Promise<void> {
  const text = Object.entries(rules)
    .map(
      ([rule, found]) => `select '${rule}' as rule, json_agg(r) as rows from (${found} limit 5) r having count(*) > 0`,
    )
    .join('\nunion all\n')
  const rows = await owner<{ rule: string; rows: unknown }>(`${lines} ${text}`)
  expect(Object.fromEntries(rows.map((row) => [row.rule, row.rows]))).toEqual({})
}
