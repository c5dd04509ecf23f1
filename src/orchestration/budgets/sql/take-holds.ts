import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import { arrayText } from './array-text.ts'

/** A reservation to be written as held, or as waiting where it holds nothing yet. */
export interface NewReservation {
  readonly tenant: TenantId
  readonly id: string
  readonly state: 'held' | 'waiting'
  readonly enforcement: string
  readonly ifLost: string
  readonly holder: string
  readonly runId: string | null
  readonly taskId: string | null
  readonly attempt: number | null
  readonly agentId: string | null
  readonly purpose: string
  readonly priority: number
  readonly units: readonly string[]
  readonly holds: readonly number[]
  readonly expected: readonly number[]
  readonly budgetIds: readonly string[]
  /** Beside `budgetIds`: the place of its unit in `units`, from 1. */
  readonly budgetUnits: readonly number[]
  readonly budgetWindows: readonly (string | null)[]
  readonly waitsFor: string | null
  readonly expiresAt: Date
}

export interface Taken {
  readonly tenant: TenantId
  readonly budget: string
  /** Negative where an extension holds less than before. */
  readonly amount: number
}

export interface Extension {
  readonly tenant: TenantId
  readonly id: string
  readonly holds: readonly number[]
  readonly expiresAt: Date
}

/** Writes what was decided about budgets that this transaction has locked: their holds, and the reservations themselves. */
export async function takeHolds(
  tx: Tx,
  taken: readonly Taken[],
  added: readonly NewReservation[],
  extended: readonly Extension[],
  now: Date,
): Promise<void> {
  if (taken.length + added.length + extended.length === 0) return
  await tx.execute({
    name: 'take-holds',
    text: `
      with held as (
        update budgets b set held = b.held + i.amount, reserved = b.reserved + i.amount
        from unnest($1::text[], $2::text[], $3::bigint[]) as i(tenant_id, id, amount)
        where b.tenant_id = i.tenant_id and b.id = i.id),
      extended as (
        update reservations r set holds = i.holds::bigint[], expires_at = i.expires_at
        from unnest($4::text[], $5::text[], $6::text[], $7::timestamptz[]) as i(tenant_id, id, holds, expires_at)
        where r.tenant_id = i.tenant_id and r.id = i.id)
      insert into reservations (tenant_id, id, state, enforcement, if_lost, holder, run_id, task_id, attempt, agent_id, purpose,
        priority, units, holds, expected, spent, budget_ids, budget_units, budget_windows, waits_for, expires_at, created_at)
      select i.tenant_id, i.id, i.state, i.enforcement, i.if_lost, i.holder, i.run_id, i.task_id, i.attempt, i.agent_id, i.purpose,
        i.priority, i.units::text[], i.holds::bigint[], i.expected::bigint[],
        array_fill(0::bigint, array[cardinality(i.units::text[])]), i.budget_ids::text[], i.budget_units::smallint[],
        i.budget_windows::timestamptz[], i.waits_for, i.expires_at, $28
      from unnest($8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::int[],
        $17::text[], $18::text[], $19::smallint[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[],
        $26::text[], $27::timestamptz[])
        as i(tenant_id, id, state, enforcement, if_lost, holder, run_id, task_id, attempt, agent_id, purpose, priority, units,
          holds, expected, budget_ids, budget_units, budget_windows, waits_for, expires_at)
      on conflict (tenant_id, id) do update set state = excluded.state, units = excluded.units, holds = excluded.holds,
        expected = excluded.expected, budget_ids = excluded.budget_ids, budget_units = excluded.budget_units,
        budget_windows = excluded.budget_windows, waits_for = excluded.waits_for, expires_at = excluded.expires_at, ended_at = null`,
    values: [
      taken.map((t) => t.tenant),
      taken.map((t) => t.budget),
      taken.map((t) => t.amount),
      extended.map((e) => e.tenant),
      extended.map((e) => e.id),
      extended.map((e) => arrayText(e.holds)),
      extended.map((e) => e.expiresAt),
      added.map((r) => r.tenant),
      added.map((r) => r.id),
      added.map((r) => r.state),
      added.map((r) => r.enforcement),
      added.map((r) => r.ifLost),
      added.map((r) => r.holder),
      added.map((r) => r.runId),
      added.map((r) => r.taskId),
      added.map((r) => r.attempt),
      added.map((r) => r.agentId),
      added.map((r) => r.purpose),
      added.map((r) => r.priority),
      added.map((r) => arrayText(r.units)),
      added.map((r) => arrayText(r.holds)),
      added.map((r) => arrayText(r.expected)),
      added.map((r) => arrayText(r.budgetIds)),
      added.map((r) => arrayText(r.budgetUnits)),
      added.map((r) => arrayText(r.budgetWindows)),
      added.map((r) => r.waitsFor),
      added.map((r) => r.expiresAt),
      now,
    ],
  })
}
