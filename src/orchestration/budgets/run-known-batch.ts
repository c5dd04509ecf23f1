import type { Tx } from '../../foundation/platform/database/database.ts'
import { amountsFrom, type BatchAsk, keyOf, linesOf, placesIn } from './batch-ask.ts'
import { BudgetDeltas } from './budget-deltas.ts'
import type { KnownBudgets } from './known-budgets.ts'
import { endedAsKnown, type KnownEnding } from './known-ending.ts'
import { newReservation } from './new-reservation.ts'
import type { BatchEnding, BatchResult } from './run-batch.ts'
import { type KnownBatch, spendKnown } from './sql/spend-known.ts'

export interface KnownPlan extends KnownBatch {
  readonly endings: readonly KnownEnding[]
  readonly result: Omit<BatchResult, 'budgets'>
}

/** What was known turned out to be otherwise: the batch is rolled back and done the long way. */
export class NotAsKnown extends Error {}

/**
 * The whole batch from what this process knows, if it does: every wish in full. Null where something of it must be looked
 * at first.
 */
export function planKnown(
  endings: readonly BatchEnding[],
  asks: readonly BatchAsk[],
  known: KnownBudgets,
  holder: string,
): KnownPlan | null {
  const own = endings.filter((ending): ending is KnownEnding => ending.known !== null)
  if (own.length < endings.length || !asks.every(isPlain)) return null
  const wanted = placesIn(asks)
  const found = known.find(asks, wanted)
  if (found === null) return null
  const deltas = new BudgetDeltas()
  for (const ending of own) deltas.giveBack(ending)
  const granted = asks.map((ask) => {
    const lines = linesOf(ask, found.budgets.bindingOf(ask))
    for (const line of lines) deltas.take(ask.request.tenant, line, ask.holds[ask.units.indexOf(line.unit)]!)
    const none = amountsFrom(
      ask.units,
      ask.units.map(() => 0),
    )
    const reservation = {
      id: ask.id,
      request: ask.request,
      hold: amountsFrom(ask.units, ask.holds),
      spent: none,
      lines,
    }
    return { added: newReservation(ask, ask.id, ask.holds, lines, null, holder), reservation }
  })
  return {
    ...{ endings: own, wanted, found: found.found },
    added: granted.map((one) => one.added),
    deltas: deltas.list(),
    result: {
      ended: new Map(own.map((ending) => [keyOf(ending), endedAsKnown(ending)])),
      outcomes: granted.map(({ reservation }) => ({ kind: 'granted', reservation })),
    },
  }
}

/** Errors: `NotAsKnown`, after which the transaction must be rolled back. */
export async function runKnownBatch(tx: Tx, plan: KnownPlan, now: Date): Promise<KnownPlan['result']> {
  if (!(await spendKnown(tx, plan, now))) throw new NotAsKnown()
  return plan.result
}

function isPlain(ask: BatchAsk): boolean {
  return ask.extends === null && !ask.forced && ask.holds.every((hold) => hold > 0)
}
