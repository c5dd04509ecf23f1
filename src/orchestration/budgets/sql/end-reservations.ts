import type { TenantId } from '../../../foundation/kernel/ids.ts'
import { statesAccepting } from '../../../foundation/kernel/state-table.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'
import { type ReservationEvent, type ReservationState, reservationStates } from '../reservation-states-contract.ts'
import { lockOrder } from './lock-order.ts'

export interface Ending {
  readonly tenant: TenantId
  readonly id: string
  readonly event: Exclude<ReservationEvent, 'hold'>
  /** Spent since the last call, beside the reservation's units. Null: all that is held where it expires, else nothing. */
  readonly used: readonly number[] | null
}

/** A budget that somebody asks about, by what it is for. */
export interface Wanted {
  readonly tenant: TenantId
  readonly scope: string
  readonly scopeId: string
  readonly unit: string
}

export interface EndedReservation {
  readonly tenant: TenantId
  readonly id: string
  readonly from: ReservationState
  readonly to: ReservationState
  readonly runId: string | null
  /** Beside its units: what is still held after an `extend`, else what was. */
  readonly holds: readonly number[]
  readonly units: readonly string[]
  /** All that was spent of it. */
  readonly spent: readonly number[]
}

export interface BudgetRow {
  readonly tenant: TenantId
  readonly id: string
  readonly scope: string
  readonly scopeId: string
  readonly unit: string
  readonly timeWindow: string
  readonly origin: string
  readonly hardLimit: number | null
  /** Held and spent together, after the endings. */
  readonly taken: number
  readonly windowStart: string | null
  readonly windowEnd: string | null
}

export interface EndResult {
  readonly ended: readonly EndedReservation[]
  /** The wanted budgets that there are. They and all that were given back to stay locked. */
  readonly budgets: readonly BudgetRow[]
}

const eventsInOrder = (a: Ending, b: Ending) => (a.tenant + a.id < b.tenant + b.id ? -1 : 1)

/**
 * Ends or draws on reservations, gives back to their budgets in the windows in which they were held, and locks and reads the
 * budgets that are wanted next. Reservations are locked first, in id order, then budgets, leaf to root. An event that the
 * state does not allow changes nothing.
 *
 * NOTE: the checks of a row are applied to its version in the snapshot before that of the lock is known, so that a sum which
 * another transaction has just completed seems to fall below 0 for a moment; `greatest` lets that pass.
 */
export async function endReservations(
  tx: Tx,
  endings: readonly Ending[],
  wanted: readonly Wanted[],
  now: Date,
): Promise<EndResult> {
  const input = [...endings].sort(eventsInOrder)
  const [row] = await tx.query<Row>({
    name: 'end-reservations',
    text: `
      with input as materialized (
        select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
          as i(tenant_id, id, event, allowed, used)),
      old as materialized (
        select r.tenant_id, r.id, r.state, r.run_id, r.units, r.holds, r.spent, r.enforcement, r.budget_ids, r.budget_units,
          r.budget_windows, i.event, i.used::bigint[] as used
        from input i join reservations r on r.tenant_id = i.tenant_id and r.id = i.id
        where r.state = any (string_to_array(i.allowed, ','))
        order by r.tenant_id, r.id for update of r),
      moved as materialized (
        select o.*, u.freed, u.more, u.kept, u.total,
          case o.event when 'settle' then 'settled' when 'expire' then 'expired' when 'release' then 'released'
            when 'refuse' then 'refused' else 'held' end as next
        from old o cross join lateral (
          select array_agg(case when o.state <> 'held' then 0 when o.event = 'extend' then least(x.h, x.u) else x.h end order by x.n) as freed,
            array_agg(case when o.state = 'expired' then x.u - x.h else x.u end order by x.n) as more,
            array_agg(case when o.event = 'extend' then x.h - least(x.h, x.u) else x.h end order by x.n) as kept,
            array_agg(x.s + case when o.state = 'expired' then x.u - x.h else x.u end order by x.n) as total
          from (
            select n, h, s, case when o.used is not null then o.used[n] when o.event = 'expire' then h else 0 end as u
            from unnest(o.holds, o.spent) with ordinality as v(h, s, n)) x) u),
      changed as (
        update reservations r set state = m.next, holds = m.kept, spent = m.total, waits_for = null,
          ended_at = case when m.next <> 'held' then $6::timestamptz end
        from moved m where r.tenant_id = m.tenant_id and r.id = m.id),
      sums as materialized (
        select tenant_id, budget, array_agg(win) as wins, array_agg(held) as helds, array_agg(spent) as spents,
          array_agg(metered) as metereds, array_agg(reported) as reporteds
        from (
          select m.tenant_id, b.budget, b.win, sum(m.freed[b.k])::bigint as held, sum(m.more[b.k])::bigint as spent,
            coalesce(sum(m.more[b.k]) filter (where m.enforcement = 'metered'), 0)::bigint as metered,
            coalesce(sum(m.more[b.k]) filter (where m.enforcement = 'reported'), 0)::bigint as reported
          from moved m cross join lateral unnest(m.budget_ids, m.budget_units, m.budget_windows) as b(budget, k, win)
          group by 1, 2, 3) s
        group by 1, 2),
      touched as materialized (
        select tenant_id, id, max(wins) as wins, max(helds) as helds, max(spents) as spents, max(metereds) as metereds,
          max(reporteds) as reporteds, bool_or(asked) as asked
        from (
          select tenant_id, budget as id, wins, helds, spents, metereds, reporteds, false as asked from sums
          union all
          select b.tenant_id, b.id, null, null, null, null, null, true
          from unnest($7::text[], $8::text[], $9::text[], $10::text[]) as w(tenant_id, scope, scope_id, unit)
          join budgets b on b.tenant_id = w.tenant_id and b.scope = w.scope and b.scope_id = w.scope_id and b.unit = w.unit) t
        group by 1, 2),
      locked as materialized (
        select b.tenant_id, b.id, b.scope, b.scope_id, b.unit, b.time_window, b.origin, b.hard_limit, b.held + b.spent as taken,
          b.window_start, b.window_end, t.wins, t.helds, t.spents, t.metereds, t.reporteds, t.asked
        from touched t join budgets b on b.tenant_id = t.tenant_id and b.id = t.id
        order by ${lockOrder} for update of b),
      after as materialized (
        select l.*, x.held, x.spent, x.metered, x.reported from locked l cross join lateral (
          select coalesce(sum(u.h), 0) as held, coalesce(sum(u.s), 0) as spent, coalesce(sum(u.m), 0) as metered,
            coalesce(sum(u.r), 0) as reported
          from unnest(l.wins, l.helds, l.spents, l.metereds, l.reporteds) as u(w, h, s, m, r)
          where u.w is not distinct from l.window_start) x),
      applied as (
        update budgets b set held = greatest(0, b.held - a.held), reserved = b.reserved - a.held,
          spent = greatest(0, b.spent + a.spent), metered = b.metered + a.metered, reported = b.reported + a.reported
        from after a where b.tenant_id = a.tenant_id and b.id = a.id and a.wins is not null)
      select
        (select json_agg(json_build_array(tenant_id, id, state, next, run_id, kept, units, total)) from moved) as ended,
        (select json_agg(json_build_array(tenant_id, id, scope, scope_id, unit, time_window, origin, hard_limit,
          taken - held + spent, window_start, window_end)) from after where asked) as budgets,
        (select json_agg(json_build_array(l.tenant_id, l.id, u.w, u.h, u.s, u.m, u.r))
          from locked l cross join lateral unnest(l.wins, l.helds, l.spents, l.metereds, l.reporteds) as u(w, h, s, m, r)
          where u.w is distinct from l.window_start) as former`,
    values: [
      input.map((e) => e.tenant),
      input.map((e) => e.id),
      input.map((e) => e.event),
      input.map((e) => statesAccepting(reservationStates, e.event).join(',')),
      input.map((e) => (e.used === null ? null : `{${e.used.join(',')}}`)),
      now,
      wanted.map((w) => w.tenant),
      wanted.map((w) => w.scope),
      wanted.map((w) => w.scopeId),
      wanted.map((w) => w.unit),
    ],
  })
  if (row!.former !== null) await giveBackToFormer(tx, row!.former)
  return {
    ended: (row!.ended ?? []).map(([tenant, id, from, to, runId, holds, units, spent]) => {
      return { tenant, id, from, to, runId, holds, units, spent }
    }),
    budgets: (row!.budgets ?? []).map(
      ([tenant, id, scope, scopeId, unit, timeWindow, origin, hardLimit, taken, windowStart, windowEnd]) => {
        return { tenant, id, scope, scopeId, unit, timeWindow, origin, hardLimit, taken, windowStart, windowEnd }
      },
    ),
  }
}

/**
 * A statement of its own: the window may have ended while the one before waited for the lock of its budget, and would not see
 * the row that was written then.
 */
async function giveBackToFormer(tx: Tx, former: readonly FormerWindow[]): Promise<void> {
  await tx.execute(sql`
    update budget_windows w set held = w.held - i.held, spent = w.spent + i.spent, metered = w.metered + i.metered,
      reported = w.reported + i.reported
    from unnest(${former.map((f) => f[0])}::text[], ${former.map((f) => f[1])}::text[], ${former.map((f) => f[2])}::timestamptz[],
      ${former.map((f) => f[3])}::bigint[], ${former.map((f) => f[4])}::bigint[], ${former.map((f) => f[5])}::bigint[],
      ${former.map((f) => f[6])}::bigint[]) as i(tenant_id, budget_id, win, held, spent, metered, reported)
    where w.tenant_id = i.tenant_id and w.budget_id = i.budget_id and w.window_start = i.win`)
}

/** Of a budget's former window: what is given back, spent, metered and reported. */
type FormerWindow = readonly [TenantId, string, string, number, number, number, number]

interface Row {
  former: FormerWindow[] | null
  ended: [TenantId, string, ReservationState, ReservationState, string | null, number[], string[], number[]][] | null
  budgets:
    | [TenantId, string, string, string, string, string, string, number | null, number, string | null, string | null][]
    | null
}
