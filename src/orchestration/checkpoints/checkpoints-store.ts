import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../foundation/platform/database/sql.ts'
import type { CheckpointDocument } from './checkpoint-document.ts'
import type { CheckpointView } from './checkpoints-contract.ts'

export interface CheckpointRow {
  readonly id: string
  readonly tenant_id: TenantId
  readonly name: string
  readonly run_id: string
  readonly reason: CheckpointView['reason']
  readonly document: CheckpointDocument
  readonly created_at: Date
}

const columns: Query = sql`id, tenant_id, name, run_id, reason, document, created_at`

/** False where the name is taken. */
export async function insertCheckpoint(tx: Tx, row: CheckpointRow): Promise<boolean> {
  const count = await tx.execute(sql`
    insert into checkpoints (tenant_id, id, name, run_id, reason, document, created_at)
    values (${row.tenant_id}, ${row.id}, ${row.name}, ${row.run_id}, ${row.reason}, ${row.document as unknown as JsonObject}::jsonb, ${row.created_at})
    on conflict (tenant_id, name) do nothing`)
  return count === 1
}

export async function findCheckpoint(tx: ReadTx, tenant: TenantId, idOrName: string): Promise<CheckpointRow | null> {
  const rows = await tx.query<CheckpointRow>(sql`
    select ${columns} from checkpoints where tenant_id = ${tenant} and (id = ${idOrName} or name = ${idOrName})
    order by id = ${idOrName} desc limit 1`)
  return rows[0] ?? null
}

export async function listCheckpoints(
  tx: ReadTx,
  tenant: TenantId,
  filter: {
    readonly run?: string | undefined
    readonly before: { readonly at: Date; readonly id: string } | null
    readonly limit: number
  },
): Promise<readonly CheckpointRow[]> {
  return tx.query<CheckpointRow>(sql`
    select ${columns} from checkpoints
    where tenant_id = ${tenant} and (${filter.run ?? null}::text is null or run_id = ${filter.run ?? null})
      and (${filter.before?.at ?? null}::timestamptz is null or (created_at, id) < (${filter.before?.at ?? null}::timestamptz, ${filter.before?.id ?? null}))
    order by created_at desc, id desc limit ${filter.limit}`)
}

/** Keeps the newest automatic checkpoints of a run and forgets the rest. */
export async function pruneAutomatic(tx: Tx, tenant: TenantId, runId: string, keep: number): Promise<void> {
  await tx.execute(sql`
    delete from checkpoints where tenant_id = ${tenant} and run_id = ${runId} and reason <> 'manual' and id not in (
      select id from checkpoints where tenant_id = ${tenant} and run_id = ${runId} and reason <> 'manual'
      order by created_at desc, id desc limit ${keep})`)
}

export function toView(row: CheckpointRow): CheckpointView {
  const ended = row.document.steps.filter(
    (step) => !['pending', 'ready', 'waiting', 'leased', 'running'].includes(step.state),
  )
  return {
    id: row.id,
    runId: row.run_id,
    name: row.name,
    createdAt: row.created_at.toISOString(),
    reason: row.reason,
    steps: { done: ended.length, total: row.document.steps.length },
    bytes: row.document.artifacts.reduce((sum, artifact) => sum + artifact.bytes, 0),
  }
}
