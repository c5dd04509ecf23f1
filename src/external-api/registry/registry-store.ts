import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { json, type Query, sql } from '../../foundation/platform/database/sql.ts'
import type { RegistryEntryView } from './registry-contract.ts'

export interface RegistryEntry {
  readonly tenant: TenantId
  readonly name: string
  readonly kind: RegistryEntryView['kind']
  readonly title: string
  readonly description: string
  readonly target: string
  readonly version: string
  readonly card: JsonObject | null
  readonly capabilities: readonly string[]
  readonly owner: string
  readonly taskMicroUsd: number | null
  readonly tokenMicroUsd: number | null
  readonly health: RegistryEntryView['health']
  readonly healthError: string | null
  readonly checkedAt: Date | null
  readonly checkSeconds: number | null
  readonly nextCheckAt: Date | null
  readonly rev: number
  readonly createdAt: Date
  readonly updatedAt: Date
}

const columns: Query = sql`tenant_id as tenant, name, kind, title, description, target, version, card, capabilities, owner,
  task_micro_usd as "taskMicroUsd", token_micro_usd as "tokenMicroUsd", health, health_error as "healthError",
  checked_at as "checkedAt", check_seconds as "checkSeconds", next_check_at as "nextCheckAt", rev, created_at as "createdAt",
  updated_at as "updatedAt"`

export async function findEntry(tx: ReadTx, tenant: TenantId, name: string): Promise<RegistryEntry | null> {
  const [row] = await tx.query<RegistryEntry>(sql`
    select ${columns} from registry_entries where tenant_id = ${tenant} and name = ${name}`)
  return row === undefined ? null : entryOf(row)
}

export async function lockEntry(tx: Tx, tenant: TenantId, name: string): Promise<RegistryEntry | null> {
  const [row] = await tx.query<RegistryEntry>(sql`
    select ${columns} from registry_entries where tenant_id = ${tenant} and name = ${name} for update`)
  return row === undefined ? null : entryOf(row)
}

/** Writes the whole of it. Who comes second overwrites: locks and revisions are the caller's. */
export async function saveEntry(tx: Tx, entry: RegistryEntry): Promise<void> {
  const card = entry.card === null ? null : json(entry.card)
  await tx.execute(sql`
    insert into registry_entries (tenant_id, name, kind, title, description, target, version, card, capabilities, owner,
      task_micro_usd, token_micro_usd, health, health_error, checked_at, check_seconds, next_check_at, rev, created_at, updated_at)
    values (${entry.tenant}, ${entry.name}, ${entry.kind}, ${entry.title}, ${entry.description}, ${entry.target}, ${entry.version},
      ${card}::jsonb, ${entry.capabilities}::text[], ${entry.owner}, ${entry.taskMicroUsd}, ${entry.tokenMicroUsd}, ${entry.health},
      ${entry.healthError}, ${entry.checkedAt}, ${entry.checkSeconds}, ${entry.nextCheckAt}, ${entry.rev}, ${entry.createdAt},
      ${entry.updatedAt})
    on conflict (tenant_id, name) do update set kind = excluded.kind, title = excluded.title, description = excluded.description,
      target = excluded.target, version = excluded.version, card = excluded.card, capabilities = excluded.capabilities,
      owner = excluded.owner, task_micro_usd = excluded.task_micro_usd, token_micro_usd = excluded.token_micro_usd,
      health = excluded.health, health_error = excluded.health_error, checked_at = excluded.checked_at,
      check_seconds = excluded.check_seconds, next_check_at = excluded.next_check_at, rev = excluded.rev,
      updated_at = excluded.updated_at`)
}

export async function deleteEntry(tx: Tx, tenant: TenantId, name: string): Promise<void> {
  await tx.execute(sql`delete from registry_entries where tenant_id = ${tenant} and name = ${name}`)
}

export interface RegistrySearch {
  readonly capabilities: readonly string[]
  readonly owner: string | null
  readonly kind: string | null
  readonly health: string | null
  readonly text: string | null
  readonly maxTaskMicroUsd: number | null
  /** The name after which to go on. */
  readonly after: string | null
  readonly limit: number
}

/** By name. */
export async function searchEntries(
  tx: ReadTx,
  tenant: TenantId,
  search: RegistrySearch,
): Promise<readonly RegistryEntry[]> {
  const { capabilities, owner, kind, health, text, maxTaskMicroUsd, after, limit } = search
  const pattern = text === null ? null : `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`
  const rows = await tx.query<RegistryEntry>(sql`
    select ${columns} from registry_entries
    where tenant_id = ${tenant} and capabilities @> ${capabilities}::text[]
      and (${owner}::text is null or owner = ${owner}) and (${kind}::text is null or kind = ${kind})
      and (${health}::text is null or health = ${health})
      and (${maxTaskMicroUsd}::bigint is null or task_micro_usd <= ${maxTaskMicroUsd})
      and (${pattern}::text is null or name ilike ${pattern} or title ilike ${pattern} or description ilike ${pattern})
      and (${after}::text is null or name > ${after})
    order by name limit ${limit}`)
  return rows.map(entryOf)
}

/** Takes entries whose check is due; nobody else takes them before `until`. */
export async function claimChecks(
  tx: Tx,
  { now, until, limit }: { readonly now: Date; readonly until: Date; readonly limit: number },
): Promise<readonly RegistryEntry[]> {
  const rows = await tx.query<RegistryEntry>(sql`
    with due as materialized (
      select tenant_id, name from registry_entries where next_check_at <= ${now}
      order by next_check_at limit ${limit} for update skip locked)
    update registry_entries e set next_check_at = ${until} from due
    where e.tenant_id = due.tenant_id and e.name = due.name
    returning ${prefixed}`)
  return rows.map(entryOf)
}

const prefixed: Query = sql`e.tenant_id as tenant, e.name, e.kind, e.title, e.description, e.target, e.version, e.card, e.capabilities,
  e.owner, e.task_micro_usd as "taskMicroUsd", e.token_micro_usd as "tokenMicroUsd", e.health, e.health_error as "healthError",
  e.checked_at as "checkedAt", e.check_seconds as "checkSeconds", e.next_check_at as "nextCheckAt", e.rev,
  e.created_at as "createdAt", e.updated_at as "updatedAt"`

/** Drivers give bigint as text. */
function entryOf(row: RegistryEntry): RegistryEntry {
  const number = (value: number | null) => (value === null ? null : Number(value))
  return { ...row, taskMicroUsd: number(row.taskMicroUsd), tokenMicroUsd: number(row.tokenMicroUsd) }
}
