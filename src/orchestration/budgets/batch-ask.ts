import type { Ask, AskedUnit } from './admit.ts'
import type { LedgerUnit } from './budget-units-contract.ts'
import type { Amounts, Reservation, ReservationLine, ReserveRequest } from './spender-port.ts'
import type { BudgetRow, Wanted } from './sql/end-reservations.ts'

/** One wish of a batch: a new reservation, or more for one that is held. */
export interface BatchAsk {
  readonly id: string
  readonly request: ReserveRequest
  /** What is held already; null for a new one. */
  readonly extends: Reservation | null
  readonly units: readonly LedgerUnit[]
  /** Everything that it may count against, whether there is a budget for it or not; the places of one unit together. */
  readonly places: readonly Place[]
  /** Beside `units`. */
  readonly holds: readonly number[]
  readonly least: readonly number[]
  readonly expected: readonly number[]
  /** It goes on waiting where there is no room, and says so in its row. */
  readonly waits: boolean
  /** Recorded whatever the limits say: it has been spent already. */
  readonly forced: boolean
  /** It counts as lost from then on. */
  readonly expiresAt: Date
}

export const ledgerUnits = [
  'micro-usd',
  'tokens',
  'runs',
  'cpu-ms',
  'wall-ms',
  'subscription-ppm',
] as const satisfies readonly LedgerUnit[]

export function unitsOf(amounts: Amounts): readonly LedgerUnit[] {
  return ledgerUnits.filter((unit) => amounts[unit] !== undefined)
}

/** The amounts beside `units`; 0 where nothing is said. */
export function amountsBeside(units: readonly LedgerUnit[], amounts: Amounts): readonly number[] {
  return units.map((unit) => amounts[unit] ?? 0)
}

export function amountsFrom(units: readonly LedgerUnit[], values: readonly number[]): Amounts {
  return Object.fromEntries(units.map((unit, n) => [unit, values[n]!]))
}

export interface Place extends Wanted {
  readonly key: string
}

export function placesOf({ tenant, scopes }: ReserveRequest, units: readonly LedgerUnit[]): readonly Place[] {
  const places: Place[] = []
  for (const unit of units) {
    places.push(placeOf({ tenant, scope: 'tenant', scopeId: tenant, unit }))
    for (const [scope, scopeId] of Object.entries(scopes)) places.push(placeOf({ tenant, scope, scopeId, unit }))
  }
  return places
}

function placeOf(wanted: Wanted): Place {
  return { ...wanted, key: placeKey(wanted) }
}

const placeKey = ({ tenant, scope, scopeId, unit }: Wanted) => `${unit} ${scope} ${tenant} ${scopeId}`

export const keyOf = (row: { readonly tenant: string; readonly id: string }) => `${row.tenant}/${row.id}`

/** The locked budgets, found by what they are for. */
export class LockedBudgets {
  readonly #byPlace: ReadonlyMap<string, readonly BudgetRow[]>

  readonly #patterns: boolean

  constructor(rows: readonly BudgetRow[]) {
    this.#patterns = rows.some(isPattern)
    this.#byPlace = Map.groupBy(rows, placeKey)
  }

  /** The budgets that bind this wish, unit by unit. A pattern does not bind: what was made from it for the run does. */
  bindingOf(ask: BatchAsk): readonly (readonly BudgetRow[])[] {
    return ask.units.map((unit) => {
      const binding: BudgetRow[] = []
      for (const place of ask.places) {
        if (place.unit !== unit) continue
        for (const row of this.at(place)) if (!isPattern(row)) binding.push(row)
      }
      return binding
    })
  }

  /** Patterns for which the run of this wish has no budget yet. */
  missingOf(ask: BatchAsk): readonly BudgetRow[] {
    const { run } = ask.request.scopes
    if (run === undefined || !this.#patterns) return []
    const rows = ask.places.flatMap((place) => this.at(place))
    const made = new Set(rows.filter((row) => row.scope === 'run' && row.scopeId === run).map((row) => row.origin))
    return rows.filter((row) => isPattern(row) && !made.has(row.id))
  }

  at(place: Place): readonly BudgetRow[] {
    return this.#byPlace.get(place.key) ?? none
  }
}

const none: readonly BudgetRow[] = []

function isPattern(row: BudgetRow): boolean {
  return row.timeWindow === 'run' && row.origin === ''
}

export function linesOf(ask: BatchAsk, binding: readonly (readonly BudgetRow[])[]): readonly ReservationLine[] {
  return binding.flatMap((rows, n) =>
    rows.map((row) => ({ budget: row.id, scope: row.scope, unit: ask.units[n]!, window: row.windowStart })),
  )
}

export function sameLines(a: readonly ReservationLine[], b: readonly ReservationLine[]): boolean {
  const text = (lines: readonly ReservationLine[]) =>
    lines
      .map((line) => `${line.budget} ${line.window}`)
      .sort()
      .join()
  return text(a) === text(b)
}

/** The wish as the rule of admission sees it. `kept`: what is still held of the reservation that it extends. */
export function toAsk(ask: BatchAsk, binding: readonly (readonly BudgetRow[])[], kept: readonly number[]): Ask {
  const credit = new Map<string, number>()
  const before = new Map(ask.extends?.lines.map((line) => [line.budget, line.window]))
  const units = ask.units.map((_, n): AskedUnit => {
    for (const row of binding[n]!) {
      if (before.has(row.id) && before.get(row.id) === row.windowStart) credit.set(keyOf(row), kept[n]!)
    }
    return { hold: ask.holds[n]!, least: ask.least[n]!, accounts: binding[n]!.map(keyOf) }
  })
  return { priority: ask.request.priority ?? 5, expected: ask.expected[0] ?? 0, units, credit }
}

/** Everything that these wishes may count against, each once. */
export function placesIn(asks: readonly BatchAsk[]): readonly Place[] {
  const places = new Map<string, Place>()
  for (const ask of asks) for (const place of ask.places) places.set(place.key, place)
  return [...places.values()]
}
