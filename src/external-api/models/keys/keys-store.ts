import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

export interface ModelKeyRow {
  readonly tenant: TenantId
  readonly id: string
  readonly prefix: string
  readonly hash: Buffer
  readonly name: string
  /** Null: all models of the tenant. */
  readonly models: string[] | null
  readonly team: string | null
  readonly workflow: string | null
  readonly runId: string | null
  readonly taskId: string | null
  readonly attempt: number | null
  /** The lease with which it ends. */
  readonly fence: number | null
  readonly agentId: string | null
  readonly createdBy: string
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly revokedAt: Date | null
}

const columns = sql`tenant_id as tenant, id, prefix, hash, name, models, team, workflow, run_id as "runId", task_id as "taskId",
  attempt, fence, agent_id as "agentId", created_by as "createdBy", created_at as "createdAt", expires_at as "expiresAt",
  revoked_at as "revokedAt"`

export async function insertModelKey(tx: Tx, key: ModelKeyRow): Promise<void> {
  await tx.execute(sql`
    insert into model_keys (tenant_id, id, prefix, hash, name, models, team, workflow, run_id, task_id, attempt, fence, agent_id,
      created_by, created_at, expires_at)
    values (${key.tenant}, ${key.id}, ${key.prefix}, ${key.hash}, ${key.name}, ${key.models}, ${key.team}, ${key.workflow},
      ${key.runId}, ${key.taskId}, ${key.attempt}, ${key.fence}, ${key.agentId}, ${key.createdBy}, ${key.createdAt},
      ${key.expiresAt})`)
}

/** In system scope: a key comes before its tenant is known. */
export async function findModelKey(tx: ReadTx, prefix: string): Promise<ModelKeyRow | null> {
  const [row] = await tx.query<ModelKeyRow>(sql`select ${columns} from model_keys where prefix = ${prefix}`)
  return row ?? null
}

/** What keys spend on the account of, beside their run. */
export async function readAccountsOfKeys(
  tx: ReadTx,
  keys: readonly { readonly tenant: TenantId; readonly keyId: string }[],
): Promise<readonly (Pick<ModelKeyRow, 'tenant' | 'workflow' | 'team'> & { readonly keyId: string })[]> {
  if (keys.length === 0) return []
  return tx.query(sql`
    select k.tenant_id as tenant, k.id as "keyId", k.workflow, k.team
    from unnest(${keys.map((key) => key.tenant)}::text[], ${keys.map((key) => key.keyId)}::text[]) as i(tenant_id, id)
    join model_keys k on k.tenant_id = i.tenant_id and k.id = i.id`)
}

/** Newest first; those that have ended too. */
export async function listModelKeys(tx: ReadTx, tenant: TenantId, limit: number): Promise<readonly ModelKeyRow[]> {
  return tx.query<ModelKeyRow>(sql`
    select ${columns} from model_keys where tenant_id = ${tenant} order by created_at desc, id desc limit ${limit}`)
}

/** Null where there is none; the key as it is then. */
export async function revokeModelKey(tx: Tx, tenant: TenantId, id: string, now: Date): Promise<ModelKeyRow | null> {
  const [row] = await tx.query<ModelKeyRow>(sql`
    update model_keys set revoked_at = coalesce(revoked_at, ${now}) where tenant_id = ${tenant} and id = ${id}
    returning ${columns}`)
  return row ?? null
}

/** A day after their end nobody asks for them. */
export async function dropOldModelKeys(tx: Tx, before: Date): Promise<number> {
  return tx.execute(sql`
    delete from model_keys where (tenant_id, id) in (
      select tenant_id, id from model_keys where expires_at < ${before} order by expires_at limit 5000)`)
}
