import type { Tx } from '../../../foundation/platform/database/database.ts'
import type { BudgetDelta } from '../budget-deltas.ts'
import { endedAsKnown, type KnownEnding } from '../known-ending.ts'
import { arrayText } from './array-text.ts'
import type { Wanted } from './end-reservations.ts'
import { inLockOrder } from './lock-order.ts'
import type { NewReservation } from './take-holds.ts'

export interface KnownBatch {
  readonly endings: readonly KnownEnding[]
  readonly added: readonly NewReservation[]
  readonly deltas: readonly BudgetDelta[]
  /** Everything that the new reservations may count against. */
  readonly wanted: readonly Wanted[]
  /** How many budgets there are for it, as far as is known. */
  readonly found: number
}

/**
 * Ends reservations and holds new ones in one statement, each row touched once, where the caller knows all the rows and
 * everything fits. False where a row was not as it was thought to be, a budget has been added, a window is over or a limit
 * is in the way: the caller must roll back and look. Budgets are locked in the order of the list.
 */
export async function spendKnown(tx: Tx, batch: KnownBatch, now: Date): Promise<boolean> {
  const endings = batch.endings.toSorted((a, b) => (a.tenant + a.id < b.tenant + b.id ? -1 : 1))
  const after = endings.map(endedAsKnown)
  const deltas = inLockOrder(batch.deltas)
  const { added, wanted } = batch
  // Most reservations of a batch are alike but for a few fields; what they share travels once.
  const shapes = new Map<string, number>()
  const shapeOf = (reservation: NewReservation) => {
    const {
      tenant,
      enforcement,
      ifLost,
      holder,
      runId,
      agentId,
      purpose,
      priority,
      units,
      budgetUnits,
      budgetWindows,
    } = reservation
    const shape = { tenant, enforcement, ifLost, holder, runId, agentId, purpose, priority }
    const arrays = {
      units: arrayText(units),
      budgetUnits: arrayText(budgetUnits),
      budgetWindows: arrayText(budgetWindows),
    }
    const text = JSON.stringify({ ...shape, ...arrays })
    const place = shapes.get(text) ?? shapes.size
    shapes.set(text, place)
    return place
  }
  const shapesOf = added.map(shapeOf)
  const [row] = await tx.query<{ settled: number; found: number; moved: number }>({
    name: 'spend-known',
    text: `
      with done as (
        update reservations r set state = i.state, holds = i.kept::bigint[], spent = i.spent::bigint[],
          ended_at = case when i.state <> 'held' then $7::timestamptz end
        from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) as i(tenant_id, id, state, held, kept, spent)
        where r.tenant_id = i.tenant_id and r.id = i.id and r.state = 'held' and r.holds = i.held::bigint[]
        returning 1),
      settled as materialized (select count(*) as n from done),
      found as materialized (
        select count(*) as n from unnest($8::text[], $9::text[], $10::text[], $11::text[]) as w(tenant_id, scope, scope_id, unit)
        join budgets b on b.tenant_id = w.tenant_id and b.scope = w.scope and b.scope_id = w.scope_id and b.unit = w.unit),
      changed as (
        update budgets b set held = b.held + i.held, reserved = b.reserved + i.held, spent = b.spent + i.spent,
          metered = b.metered + i.metered, reported = b.reported + i.reported
        from settled cross join found cross join unnest($12::text[], $13::text[], $14::timestamptz[], $15::bigint[], $16::bigint[],
          $17::bigint[], $18::bigint[], $19::boolean[]) as i(tenant_id, id, win, held, spent, metered, reported, taking)
        where settled.n = cardinality($1::text[]) and found.n = $20
          and b.tenant_id = i.tenant_id and b.id = i.id and i.win is not distinct from b.window_start
          and (not i.taking or ((b.hard_limit is null or b.held + b.spent + i.held + i.spent <= b.hard_limit)
            and (b.window_end is null or b.window_end > $7)))
        returning 1),
      moved as materialized (select count(*) as n from changed),
      shape as materialized (
        select n, s->>'tenant' as tenant_id, s->>'enforcement' as enforcement, s->>'ifLost' as if_lost, s->>'holder' as holder,
          s->>'runId' as run_id, s->>'agentId' as agent_id, s->>'purpose' as purpose, (s->>'priority')::smallint as priority,
          (s->>'units')::text[] as units, (s->>'budgetUnits')::smallint[] as budget_units,
          (s->>'budgetWindows')::timestamptz[] as budget_windows
        from unnest($21::jsonb[]) with ordinality as u(s, n)),
      added as (
        insert into reservations (tenant_id, id, state, enforcement, if_lost, holder, run_id, task_id, attempt, agent_id, purpose,
          priority, units, holds, expected, spent, budget_ids, budget_units, budget_windows, expires_at, created_at)
        select s.tenant_id, i.id, 'held', s.enforcement, s.if_lost, s.holder, s.run_id, i.task_id, i.attempt, s.agent_id, s.purpose,
          s.priority, s.units, i.holds::bigint[], i.expected::bigint[], array_fill(0::bigint, array[cardinality(s.units)]),
          i.budget_ids::text[], s.budget_units, s.budget_windows, i.expires_at, $7
        from moved cross join unnest($22::int[], $23::text[], $24::text[], $25::int[], $26::text[], $27::text[], $28::text[],
          $29::timestamptz[]) as i(shape, id, task_id, attempt, holds, expected, budget_ids, expires_at)
        join shape s on s.n = i.shape + 1
        where moved.n = cardinality($12::text[]))
      select settled.n::int as settled, found.n::int as found, moved.n::int as moved from settled, found, moved`,
    values: [
      endings.map((e) => e.tenant),
      endings.map((e) => e.id),
      after.map((a) => a.to),
      endings.map((e) => arrayText(e.known.holds)),
      after.map((a) => arrayText(a.holds)),
      after.map((a) => arrayText(a.spent)),
      now,
      wanted.map((w) => w.tenant),
      wanted.map((w) => w.scope),
      wanted.map((w) => w.scopeId),
      wanted.map((w) => w.unit),
      deltas.map((d) => d.tenant),
      deltas.map((d) => d.budget),
      deltas.map((d) => d.window),
      deltas.map((d) => d.held),
      deltas.map((d) => d.spent),
      deltas.map((d) => d.metered),
      deltas.map((d) => d.reported),
      deltas.map((d) => d.taking),
      batch.found,
      [...shapes.keys()],
      shapesOf,
      added.map((r) => r.id),
      added.map((r) => r.taskId),
      added.map((r) => r.attempt),
      added.map((r) => arrayText(r.holds)),
      added.map((r) => arrayText(r.expected)),
      added.map((r) => arrayText(r.budgetIds)),
      added.map((r) => r.expiresAt),
    ],
  })
  return row!.settled === endings.length && row!.found === batch.found && row!.moved === deltas.length
}
