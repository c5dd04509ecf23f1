import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { ReservationState } from './reservation-states-contract.ts'

/** A process that holds reservations says that it lives. */
export async function heartbeat(tx: Tx, spender: string, now: Date): Promise<void> {
  await tx.execute(sql`
    insert into spenders (id, heartbeat_at) values (${spender}, ${now})
    on conflict (id) do update set heartbeat_at = excluded.heartbeat_at`)
}

export async function removeSpender(tx: Tx, spender: string): Promise<void> {
  await tx.execute(sql`delete from spenders where id = ${spender}`)
}

/** The states of reservations, by tenant and id; absent: there is none. */
export async function readStates(
  tx: ReadTx,
  refs: readonly { readonly tenant: TenantId; readonly id: string }[],
): Promise<ReadonlyMap<string, ReservationState>> {
  const rows = await tx.query<{ key: string; state: ReservationState }>(sql`
    select r.tenant_id || '/' || r.id as key, r.state
    from unnest(${refs.map((r) => r.tenant)}::text[], ${refs.map((r) => r.id)}::text[]) as i(tenant_id, id)
    join reservations r on r.tenant_id = i.tenant_id and r.id = i.id`)
  return new Map(rows.map((row) => [row.key, row.state]))
}

/** Forgets processes that are dead, once nothing is left of what they held. */
export async function removeSilentSpenders(tx: Tx, silentSince: Date): Promise<void> {
  await tx.execute(sql`delete from spenders where heartbeat_at < ${silentSince} and id <> ${upkeep}`)
}

/** The name under which it is kept up to when lost reservations have been looked for. */
const upkeep = 'upkeep'

/** All reservations whose time was up before have been ended, by whatever process. Null: nobody has ever looked. */
export async function readLastLook(tx: ReadTx): Promise<Date | null> {
  const [row] = await tx.query<{ at: Date }>(sql`select heartbeat_at as at from spenders where id = ${upkeep}`)
  return row?.at ?? null
}

/** Written now and then only: a look that begins earlier than it must is no harm. */
export async function noteLook(tx: Tx, at: Date): Promise<void> {
  await tx.execute(sql`
    insert into spenders (id, heartbeat_at) values (${upkeep}, ${at})
    on conflict (id) do update set heartbeat_at = excluded.heartbeat_at
    where spenders.heartbeat_at < excluded.heartbeat_at - interval '10 seconds'`)
}

/** Whether any process has reserved something lately. */
export async function hasSpenders(tx: ReadTx): Promise<boolean> {
  const [row] = await tx.query<{ any: boolean }>(
    sql`select exists (select 1 from spenders where id <> ${upkeep}) as any`,
  )
  return row!.any
}
