import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { json, sql } from '../../foundation/platform/database/sql.ts'
import type { PagePlace } from '../../foundation/platform/http/page.ts'
import type { TenantState } from './tenant-states-contract.ts'
import type { Purge, TenantView } from './tenants-contract.ts'

/** The table belongs to no tenant: everything here wants system scope. */
export interface TenantRow {
  readonly id: TenantId
  readonly name: string
  readonly state: TenantState
  readonly reason: string | null
  readonly rev: number
  readonly createdAt: Date
  readonly changedAt: Date | null
  readonly pausedRuns: string[] | null
  readonly purge: Purge | null
}

const columns = sql`id, name, state, reason, rev, created_at as "createdAt", changed_at as "changedAt",
  paused_runs as "pausedRuns", purge`

export function toTenantView(row: TenantRow): TenantView {
  const { pausedRuns: _pausedRuns, ...shown } = row
  return { ...shown, createdAt: row.createdAt.toISOString(), changedAt: row.changedAt?.toISOString() ?? null }
}

/** Returns false where the id is taken. */
export async function insertTenant(tx: Tx, id: TenantId, name: string, now: Date): Promise<boolean> {
  const count = await tx.execute(sql`
    insert into tenants (id, name, state, created_at) values (${id}, ${name}, 'active', ${now})
    on conflict (id) do nothing`)
  return count === 1
}

export async function findTenant(tx: ReadTx, id: string): Promise<TenantRow | null> {
  const [row] = await tx.query<TenantRow>(sql`select ${columns} from tenants where id = ${id}`)
  return row ?? null
}

export async function lockTenant(tx: Tx, id: string): Promise<TenantRow | null> {
  const [row] = await tx.query<TenantRow>(sql`select ${columns} from tenants where id = ${id} for update`)
  return row ?? null
}

export async function listTenantRows(
  tx: ReadTx,
  filter: { readonly state: TenantState | undefined; readonly before: PagePlace | null; readonly limit: number },
): Promise<readonly TenantRow[]> {
  const { state, before, limit } = filter
  return tx.query<TenantRow>(sql`
    select ${columns} from tenants
    where (${state ?? null}::text is null or state = ${state ?? null})
      and (${before?.at ?? null}::timestamptz is null
        or (date_trunc('milliseconds', created_at), id) < (${before?.at ?? null}::timestamptz, ${before?.id ?? null}::text))
    order by date_trunc('milliseconds', created_at) desc, id desc limit ${limit}`)
}

export async function setTenantState(
  tx: Tx,
  id: TenantId,
  change: { readonly state: TenantState; readonly reason: string | null; readonly purge?: Purge; readonly now: Date },
): Promise<void> {
  const { state, reason, purge, now } = change
  await tx.execute(sql`
    update tenants set state = ${state}, reason = ${reason}, rev = rev + 1, changed_at = ${now},
      purge = coalesce(${purge === undefined ? null : json(purge)}::jsonb, purge)
    where id = ${id}`)
}

/** Runs that were paused with their tenant; they go on with it. */
export async function addPausedRuns(tx: Tx, id: TenantId, runs: readonly string[]): Promise<void> {
  await tx.execute(sql`
    update tenants set paused_runs = array(select distinct unnest(coalesce(paused_runs, '{}') || ${runs}::text[]))
    where id = ${id}`)
}

/** Forgets those that go on. What was added meanwhile stays. */
export async function removePausedRuns(tx: Tx, id: TenantId, runs: readonly string[]): Promise<void> {
  await tx.execute(sql`
    update tenants set paused_runs = nullif(array(select unnest(paused_runs) except select unnest(${runs}::text[])), '{}')
    where id = ${id}`)
}

/** Tenants whose work does not stand as they do: suspended since `after` or never paused, or active with runs that rest. */
export async function listUnsettled(tx: ReadTx, after: Date): Promise<readonly TenantRow[]> {
  return tx.query<TenantRow>(sql`
    select ${columns} from tenants
    where (state = 'suspended' and (paused_runs is null or changed_at > ${after}))
      or (state = 'active' and paused_runs is not null)
    order by id limit 100`)
}

/** The oldest tenant that waits to be emptied. */
export async function nextToPurge(tx: ReadTx): Promise<TenantRow | null> {
  const [row] = await tx.query<TenantRow>(sql`
    select ${columns} from tenants where state = 'deleting' order by changed_at limit 1`)
  return row ?? null
}
