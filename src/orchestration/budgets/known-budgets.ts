import { type BatchAsk, LockedBudgets, type Place } from './batch-ask.ts'
import type { BudgetRow } from './sql/end-reservations.ts'

/** More would cost more memory than time. */
const mostPlaces = 50_000

/**
 * What a process remembers of the budgets it has seen: which there are for a place, and their windows. Nothing is admitted
 * by it: a statement that relies on it checks it, and limits are never remembered.
 */
export class KnownBudgets {
  readonly #byPlace = new Map<string, readonly BudgetRow[]>()

  /** Remembers what a locked look has found; places without a budget too. */
  learn(places: Iterable<Place>, budgets: LockedBudgets): void {
    if (this.#byPlace.size > mostPlaces) this.#byPlace.clear()
    for (const place of places) this.#byPlace.set(place.key, budgets.at(place))
  }

  /** What there is for these wishes; null where something of it was never looked at. */
  find(
    asks: readonly BatchAsk[],
    places: readonly Place[],
  ): { readonly budgets: LockedBudgets; readonly found: number } | null {
    const rows: BudgetRow[] = []
    for (const place of places) {
      const known = this.#byPlace.get(place.key)
      if (known === undefined) return null
      rows.push(...known)
    }
    const budgets = new LockedBudgets(rows)
    return asks.some((ask) => budgets.missingOf(ask).length > 0) ? null : { budgets, found: rows.length }
  }
}
