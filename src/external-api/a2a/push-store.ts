import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../foundation/platform/database/sql.ts'

export interface PushConfigRow {
  readonly tenant: TenantId
  readonly runId: string
  readonly id: string
  readonly url: string
  /** Token and credentials, sealed. */
  readonly sealed: string
  readonly keyId: string
}

const columns: Query = sql`tenant_id as tenant, run_id as "runId", id, url, sealed, key_id as "keyId"`

export async function savePushConfig(tx: Tx, config: PushConfigRow, now: Date): Promise<void> {
  const { tenant, runId, id, url, sealed, keyId } = config
  await tx.execute(sql`
    insert into a2a_push_configs (tenant_id, run_id, id, url, sealed, key_id, created_at)
    values (${tenant}, ${runId}, ${id}, ${url}, ${sealed}, ${keyId}, ${now})
    on conflict (tenant_id, run_id, id) do update set url = excluded.url, sealed = excluded.sealed, key_id = excluded.key_id`)
}

export async function pushConfigsOf(tx: ReadTx, tenant: TenantId, runId: string): Promise<readonly PushConfigRow[]> {
  return tx.query<PushConfigRow>(sql`
    select ${columns} from a2a_push_configs where tenant_id = ${tenant} and run_id = ${runId} order by id`)
}

/** Whether anybody, of any tenant, is to be told of anything. */
export async function anyPushConfig(tx: ReadTx): Promise<boolean> {
  const [row] = await tx.query<{ any: boolean }>(sql`select exists (select from a2a_push_configs) as any`)
  return row?.any === true
}

/** Of many runs at once. */
export async function pushConfigsOfRuns(
  tx: ReadTx,
  runs: readonly { readonly tenant: TenantId; readonly runId: string }[],
): Promise<readonly PushConfigRow[]> {
  return tx.query<PushConfigRow>(sql`
    select ${columns} from a2a_push_configs
    where (tenant_id, run_id) in (select * from unnest(${runs.map((run) => run.tenant)}::text[], ${runs.map((run) => run.runId)}::text[]))`)
}

/** With what was still to be sent to it. */
export async function deletePushConfig(tx: Tx, tenant: TenantId, runId: string, id: string): Promise<void> {
  await tx.execute(sql`
    delete from a2a_pushes where tenant_id = ${tenant} and run_id = ${runId} and config_id = ${id}`)
  await tx.execute(sql`
    delete from a2a_push_configs where tenant_id = ${tenant} and run_id = ${runId} and id = ${id}`)
}

export interface NewPush {
  readonly tenant: TenantId
  readonly id: string
  readonly runId: string
  readonly configId: string
  readonly body: string
}

export async function insertPushes(tx: Tx, pushes: readonly NewPush[], now: Date, giveUpAt: Date): Promise<void> {
  if (pushes.length === 0) return
  await tx.execute(sql`
    insert into a2a_pushes (tenant_id, id, run_id, config_id, body, due_at, give_up_at, created_at)
    select tenant_id, id, run_id, config_id, body, ${now}, ${giveUpAt}, ${now}
    from unnest(${pushes.map((push) => push.tenant)}::text[], ${pushes.map((push) => push.id)}::text[],
      ${pushes.map((push) => push.runId)}::text[], ${pushes.map((push) => push.configId)}::text[],
      ${pushes.map((push) => push.body)}::text[]) with ordinality as p(tenant_id, id, run_id, config_id, body, n)
    order by n`)
}

export interface ClaimedPush extends NewPush {
  readonly attempt: number
  readonly giveUpAt: Date
}

/** Takes what is due: of each receiver only the oldest that is open, so that news arrive in order. */
export async function claimPushes(
  tx: Tx,
  { now, leaseUntil, limit }: { readonly now: Date; readonly leaseUntil: Date; readonly limit: number },
): Promise<readonly ClaimedPush[]> {
  return tx.query<ClaimedPush>(sql`
    with due as materialized (
      select p.tenant_id, p.id from a2a_pushes p
      where p.due_at <= ${now} and not exists (
        select from a2a_pushes e
        where e.tenant_id = p.tenant_id and e.run_id = p.run_id and e.config_id = p.config_id and e.seq < p.seq)
      order by p.due_at limit ${limit} for update of p skip locked)
    update a2a_pushes p set attempt = p.attempt + 1, due_at = ${leaseUntil}
    from due where p.tenant_id = due.tenant_id and p.id = due.id
    returning p.tenant_id as tenant, p.id, p.run_id as "runId", p.config_id as "configId", p.body, p.attempt,
      p.give_up_at as "giveUpAt"`)
}

export async function postponePush(
  tx: Tx,
  { tenant, id, attempt }: Pick<ClaimedPush, 'tenant' | 'id' | 'attempt'>,
  dueAt: Date,
): Promise<void> {
  await tx.execute(sql`
    update a2a_pushes set due_at = ${dueAt} where tenant_id = ${tenant} and id = ${id} and attempt = ${attempt}`)
}

/** False: it is another's by now. */
export async function endPush(
  tx: Tx,
  { tenant, id, attempt }: Pick<ClaimedPush, 'tenant' | 'id' | 'attempt'>,
): Promise<boolean> {
  const gone = await tx.execute(sql`
    delete from a2a_pushes where tenant_id = ${tenant} and id = ${id} and attempt = ${attempt}`)
  return gone === 1
}
