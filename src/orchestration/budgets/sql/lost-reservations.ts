import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'
import type { Ending } from './end-reservations.ts'

interface Row {
  readonly tenant: TenantId
  readonly id: string
  readonly state: 'held' | 'waiting'
  readonly ifLost: 'count' | 'release'
}

/**
 * Reservations that nobody will settle in time: their time is up, or their holder has not been heard of since `silentSince`.
 * Holders are found by hopping along the index, so that the cost does not grow with what they have settled; of a dead one
 * everything is open that ended no earlier than it was last heard of.
 */
export async function lostReservations(
  tx: ReadTx,
  where: { readonly now: Date; readonly lookedAt: Date; readonly silentSince: Date; readonly limit: number },
): Promise<readonly Ending[]> {
  const rows = await tx.query<Row>(sql`
    with recursive holders(holder) as (
      (select min(holder) from reservations)
      union all
      select (select min(r.holder) from reservations r where r.holder > h.holder) from holders h where h.holder is not null),
    named as materialized (
      select h.holder, s.heartbeat_at is null or s.heartbeat_at < ${where.silentSince} as dead
      from holders h left join spenders s on s.id = h.holder where h.holder is not null)
    select r.tenant_id as tenant, r.id, r.state, r.if_lost as "ifLost" from named n cross join lateral (
      select * from reservations r where r.holder = n.holder and r.state in ('held', 'waiting')
        and r.expires_at > ${where.lookedAt} and (n.dead or r.expires_at <= ${where.now})
      order by r.expires_at limit ${where.limit}) r
    limit ${where.limit}`)
  return rows.map(toEnding)
}

/** What attempts still hold whose lease is over. */
export async function reservationsOfAttempts(
  tx: ReadTx,
  attempts: readonly { readonly tenant: TenantId; readonly taskId: string; readonly attempt: number }[],
): Promise<readonly (Ending & { readonly ifLost: 'count' | 'release' })[]> {
  if (attempts.length === 0) return []
  const rows = await tx.query<Row>(sql`
    select r.tenant_id as tenant, r.id, r.state, r.if_lost as "ifLost"
    from unnest(${attempts.map((a) => a.tenant)}::text[], ${attempts.map((a) => a.taskId)}::text[],
      ${attempts.map((a) => a.attempt)}::int[]) as i(tenant_id, task_id, attempt)
    join reservations r on r.task_id = i.task_id and r.tenant_id = i.tenant_id and r.attempt = i.attempt
    where r.state in ('held', 'waiting')`)
  return rows.map((row) => ({ ...toEnding(row), ifLost: row.ifLost }))
}

function toEnding({ tenant, id, state, ifLost }: Row): Ending {
  const event = state === 'waiting' ? 'refuse' : ifLost === 'count' ? 'expire' : 'release'
  return { tenant, id, event, used: null }
}
