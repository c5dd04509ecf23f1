import type { IdSource } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { admit, type Verdict } from './admit.ts'
import { amountsFrom, type BatchAsk, keyOf, LockedBudgets, linesOf, placesIn, sameLines, toAsk } from './batch-ask.ts'
import { isTimeWindow } from './budget-windows-contract.ts'
import { insertForRuns } from './budgets-store.ts'
import type { KnownEnding } from './known-ending.ts'
import { newReservation } from './new-reservation.ts'
import type { Reservation } from './spender-port.ts'
import {
  type BudgetRow,
  type EndedReservation,
  type Ending,
  endReservations,
  type Wanted,
} from './sql/end-reservations.ts'
import { rollWindows } from './sql/roll-windows.ts'
import { type Extension, type NewReservation, type Taken, takeHolds } from './sql/take-holds.ts'

export interface BatchOptions {
  readonly holder: string
  readonly ids: IdSource
  readonly now: Date
}

/** `known`: what its holder knows of the row; null where nobody does. */
export type BatchEnding = KnownEnding | (Ending & { readonly known: null })

export type AskOutcome =
  | { readonly kind: 'granted'; readonly reservation: Reservation }
  | { readonly kind: 'refused'; readonly budget: string }
  /** What was to be extended has ended already. */
  | { readonly kind: 'ended' }

export interface BatchResult {
  /** By tenant and id. An ending that is not here met a reservation that had ended before. */
  readonly ended: ReadonlyMap<string, EndedReservation>
  /** Beside the asks. */
  readonly outcomes: readonly AskOutcome[]
  /** The budgets of everything that was asked for, as they were found. */
  readonly budgets: LockedBudgets
}

/**
 * Ends what is to be ended, then admits what is asked for, in the caller's transaction. The rows of the budgets are locked
 * once and decided upon while they are: nothing is admitted beyond a limit, whoever else spends at the same time.
 */
export async function runBatch(
  tx: Tx,
  endings: readonly BatchEnding[],
  asks: readonly BatchAsk[],
  options: BatchOptions,
): Promise<BatchResult> {
  const { now } = options
  const wanted = placesIn(asks)
  const first = await endReservations(tx, endings, wanted, now)
  const ended = new Map(first.ended.map((row) => [keyOf(row), row]))
  if (asks.length === 0) return { ended, outcomes: [], budgets: new LockedBudgets([]) }

  const locked = await bringUpToDate(tx, asks, wanted, first.budgets, now)
  const budgets = new LockedBudgets(locked)
  const live = asks.map(
    (ask) => ask.extends === null || isHeld(ended.get(keyOf({ tenant: ask.request.tenant, id: ask.id }))),
  )
  const bindings = asks.map((ask) => budgets.bindingOf(ask))
  const kept = asks.map((ask) => ended.get(keyOf({ tenant: ask.request.tenant, id: ask.id }))?.holds ?? [])
  const verdicts = decide(asks, live, bindings, kept, locked)
  const outcomes = await write(tx, { asks, bindings, kept, verdicts, ended }, options)
  return { ended, outcomes, budgets }
}

const isHeld = (row: EndedReservation | undefined) => row?.to === 'held'

/** Begins windows that are over and makes the budgets of runs from their patterns, then reads again. */
async function bringUpToDate(
  tx: Tx,
  asks: readonly BatchAsk[],
  wanted: readonly Wanted[],
  read: readonly BudgetRow[],
  now: Date,
): Promise<readonly BudgetRow[]> {
  let rows = read
  // Twice at most: what was made for a run has no window of its own.
  for (let round = 0; round < 2; round++) {
    const stale = rows.flatMap((row) => {
      const { timeWindow } = row
      if (!isTimeWindow(timeWindow) || timeWindow === 'total' || timeWindow === 'run') return []
      const over = row.windowEnd === null || Date.parse(row.windowEnd) <= now.getTime()
      return over ? [{ tenant: row.tenant, id: row.id, timeWindow }] : []
    })
    const budgets = new LockedBudgets(rows)
    const missing = asks.flatMap((ask) =>
      budgets
        .missingOf(ask)
        .map((pattern) => ({ tenant: pattern.tenant, pattern: pattern.id, run: ask.request.scopes.run! })),
    )
    if (stale.length + missing.length === 0) return rows
    await rollWindows(tx, stale, now)
    await insertForRuns(tx, missing)
    rows = (await endReservations(tx, [], wanted, now)).budgets
  }
  return rows
}

function decide(
  asks: readonly BatchAsk[],
  live: readonly boolean[],
  bindings: readonly (readonly (readonly BudgetRow[])[])[],
  kept: readonly (readonly number[])[],
  rows: readonly BudgetRow[],
): readonly (Verdict | null)[] {
  const accounts = new Map(
    rows.map((row) => [keyOf(row), { id: row.id, room: row.hardLimit === null ? null : row.hardLimit - row.taken }]),
  )
  const asking = asks.map((_, n) => n).filter((n) => live[n] && !asks[n]!.forced)
  const found = admit(
    asking.map((n) => toAsk(asks[n]!, bindings[n]!, kept[n]!)),
    accounts,
  )
  const verdicts: (Verdict | null)[] = asks.map((ask, n) => (live[n] ? { kind: 'granted', amounts: ask.holds } : null))
  asking.forEach((n, index) => {
    verdicts[n] = found[index]!
  })
  return verdicts
}

interface Decided {
  readonly asks: readonly BatchAsk[]
  readonly bindings: readonly (readonly (readonly BudgetRow[])[])[]
  readonly kept: readonly (readonly number[])[]
  readonly ended: ReadonlyMap<string, EndedReservation>
  readonly verdicts: readonly (Verdict | null)[]
}

async function write(tx: Tx, decided: Decided, options: BatchOptions): Promise<readonly AskOutcome[]> {
  const { asks, bindings, kept, verdicts, ended } = decided
  const { now, ids } = options
  const taken = new Map<string, { tenant: Taken['tenant']; budget: string; amount: number }>()
  const added: NewReservation[] = []
  const extended: Extension[] = []
  const replaced: Ending[] = []
  const take = (row: BudgetRow, amount: number) => {
    if (amount === 0) return
    const before = taken.get(keyOf(row))?.amount ?? 0
    taken.set(keyOf(row), { tenant: row.tenant, budget: row.id, amount: before + amount })
  }
  const outcomes = asks.map((ask, n): AskOutcome => {
    const verdict = verdicts[n]
    const binding = bindings[n]!
    if (verdict == null) return { kind: 'ended' }
    const lines = linesOf(ask, binding)
    if (verdict.kind === 'refused') {
      if (ask.waits && ask.extends === null)
        added.push(newReservation(ask, ask.id, [], [], verdict.budget, options.holder))
      return { kind: 'refused', budget: verdict.budget }
    }
    const inPlace = ask.extends !== null && sameLines(ask.extends.lines, lines)
    const id = ask.extends === null || inPlace ? ask.id : ids.next<string>('rsv')
    binding.forEach((rows, unit) => {
      for (const row of rows) take(row, verdict.amounts[unit]! - (inPlace ? kept[n]![unit]! : 0))
    })
    const { tenant } = ask.request
    if (inPlace) extended.push({ tenant, id, holds: verdict.amounts, expiresAt: ask.expiresAt })
    else added.push(newReservation(ask, id, verdict.amounts, lines, null, options.holder))
    if (ask.extends !== null && !inPlace) {
      replaced.push({ tenant, id: ask.id, event: 'settle', used: ask.units.map(() => 0) })
    }
    const hold = amountsFrom(ask.units, verdict.amounts)
    const spent = inPlace ? ended.get(keyOf({ tenant, id }))!.spent : ask.units.map(() => 0)
    return {
      kind: 'granted',
      reservation: { id, request: ask.request, hold, spent: amountsFrom(ask.units, spent), lines },
    }
  })
  if (replaced.length > 0) await endReservations(tx, replaced, [], now)
  await takeHolds(tx, [...taken.values()], added, extended, now)
  return outcomes
}
