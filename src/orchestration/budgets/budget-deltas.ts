import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { KnownEnding } from './known-ending.ts'
import type { ReservationLine } from './spender-port.ts'

/** What a batch changes on one budget in one of its windows. */
export interface BudgetDelta {
  readonly tenant: TenantId
  readonly scope: string
  readonly budget: string
  readonly window: string | null
  held: number
  spent: number
  metered: number
  reported: number
  /** Something is taken, so that limit and window must be looked at. */
  taking: boolean
}

/** Sums what known reservations give back and new ones take, each budget once. */
export class BudgetDeltas {
  readonly #deltas = new Map<string, BudgetDelta>()

  giveBack({ tenant, event, used, known }: KnownEnding): void {
    for (const line of known.lines) {
      const n = known.units.indexOf(line.unit)
      const hold = known.holds[n]!
      const spent = used?.[n] ?? 0
      const delta = this.#at(tenant, line)
      delta.held -= event === 'extend' ? Math.min(hold, spent) : hold
      delta.spent += spent
      if (known.enforcement === 'metered') delta.metered += spent
      if (known.enforcement === 'reported') delta.reported += spent
    }
  }

  take(tenant: TenantId, line: ReservationLine, amount: number): void {
    const delta = this.#at(tenant, line)
    delta.held += amount
    delta.taking = true
  }

  /** A list, not an iterator: a transaction that is tried again reads it again. */
  list(): readonly BudgetDelta[] {
    return [...this.#deltas.values()]
  }

  #at(tenant: TenantId, { scope, budget, window }: ReservationLine): BudgetDelta {
    const key = `${tenant} ${budget} ${window}`
    let delta = this.#deltas.get(key)
    if (delta === undefined) {
      delta = { tenant, scope, budget, window, held: 0, spent: 0, metered: 0, reported: 0, taking: false }
      this.#deltas.set(key, delta)
    }
    return delta
  }
}
