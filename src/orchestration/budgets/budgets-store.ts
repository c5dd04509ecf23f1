import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { prepared, sql } from '../../foundation/platform/database/sql.ts'
import type { KnownBudget, NewBudget } from './budget-rules-contract.ts'

export async function insertBudgets(tx: Tx, budgets: readonly NewBudget[]): Promise<void> {
  if (budgets.length === 0) return
  tx.post(prepared('insert-budgets')`
    insert into budgets (tenant_id, id, scope, scope_id, unit, hard_limit)
    select * from unnest(${budgets.map((b) => b.tenant)}::text[], ${budgets.map((b) => b.id)}::text[],
      ${budgets.map((b) => b.scope)}::text[], ${budgets.map((b) => b.scopeId)}::text[],
      ${budgets.map((b) => b.unit)}::text[], ${budgets.map((b) => b.hardLimit)}::bigint[])`)
}

export interface PatternForRun {
  readonly tenant: TenantId
  /** The budget with the window `run`. */
  readonly pattern: string
  readonly run: string
}

/** Makes the budgets of runs from the patterns above them. Whoever comes second finds what the first has made. */
export async function insertForRuns(tx: ReadTx, patterns: readonly PatternForRun[]): Promise<void> {
  if (patterns.length === 0) return
  await tx.query(sql`
    insert into budgets (tenant_id, id, scope, scope_id, unit, hard_limit, soft_limit, time_window, origin)
    select distinct p.tenant_id, 'run:' || i.run || ':' || p.unit || ':of:' || p.id, 'run', i.run, p.unit, p.hard_limit,
      p.soft_limit, 'run', p.id
    from unnest(${patterns.map((p) => p.tenant)}::text[], ${patterns.map((p) => p.pattern)}::text[],
      ${patterns.map((p) => p.run)}::text[]) as i(tenant_id, pattern, run)
    join budgets p on p.tenant_id = i.tenant_id and p.id = i.pattern
    on conflict do nothing`)
}

/** A run, or one that waits for it. */
export interface BudgetedRun {
  readonly id: string
  readonly workflow: string
  /** The label `team` names the team on whose budgets it draws. */
  readonly labels?: Readonly<Record<string, unknown>>
}

/**
 * The budgets that bind every task of a run and of the runs it belongs to, from the run up to the tenant. Each run is given
 * its own budget from every pattern above it, which is why the transaction must be one that writes.
 */
export async function budgetsOfRuns(
  tx: ReadTx,
  tenant: TenantId,
  runs: readonly BudgetedRun[],
): Promise<readonly KnownBudget[]> {
  const rows = await readBudgetsOfRuns(tx, tenant, runs)
  const patterns = rows.filter((row) => row.timeWindow === 'run' && row.origin === '')
  if (patterns.length === 0) return rows.map(toKnown)
  const missing = runs.flatMap((run) =>
    patterns
      .filter((pattern) => isAbove(pattern, tenant, run))
      .filter(({ id }) => !rows.some((row) => row.origin === id && row.scopeId === run.id))
      .map((pattern) => ({ tenant, pattern: pattern.id, run: run.id })),
  )
  await insertForRuns(tx, missing)
  const binding = missing.length === 0 ? rows : await readBudgetsOfRuns(tx, tenant, runs)
  return binding.filter((row) => row.timeWindow !== 'run' || row.origin !== '').map(toKnown)
}

interface ScopedBudget extends KnownBudget {
  readonly scope: string
  readonly scopeId: string
  readonly timeWindow: string
  readonly origin: string
}

function toKnown({ id, unit, left, room }: ScopedBudget): KnownBudget {
  return { id, unit, left, room }
}

function isAbove({ scope, scopeId }: ScopedBudget, tenant: TenantId, run: BudgetedRun): boolean {
  if (scope === 'tenant') return scopeId === tenant
  return scope === 'workflow' ? scopeId === run.workflow : scope === 'team' && scopeId === teamOf(run)
}

export function teamOf(run: Pick<BudgetedRun, 'labels'>): string | null {
  const team = run.labels?.team
  return typeof team === 'string' && team !== '' ? team : null
}

function readBudgetsOfRuns(
  tx: ReadTx,
  tenant: TenantId,
  runs: readonly BudgetedRun[],
): Promise<readonly ScopedBudget[]> {
  const scopes = [
    ...runs.map((run) => ['run', run.id] as const),
    ...[...new Set(runs.map((run) => run.workflow))].map((workflow) => ['workflow', workflow] as const),
    ...[...new Set(runs.map(teamOf))].flatMap((team) => (team === null ? [] : [['team', team] as const])),
    ['tenant', tenant] as const,
  ]
  // Each by its index, whatever is known of the table: a tenant has as many budgets as it had runs.
  return tx.query<ScopedBudget>(prepared('budgets-of-runs')`
    select b.* from unnest(${scopes.map(([scope]) => scope)}::text[], ${scopes.map(([, id]) => id)}::text[]) as k(scope, scope_id)
    cross join lateral (
      select id, unit, hard_limit - spent as "left", hard_limit - spent - held as room, scope, scope_id as "scopeId", time_window as "timeWindow", origin from budgets
      where tenant_id = ${tenant} and scope = k.scope and scope_id = k.scope_id offset 0) b
    order by array_position(array['run', 'workflow', 'team', 'tenant'], b.scope), b.id`)
}
