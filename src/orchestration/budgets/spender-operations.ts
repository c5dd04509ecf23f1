import { amountsBeside, type BatchAsk, unitsOf } from './batch-ask.ts'
import { budgetErrors } from './budgets-errors.ts'
import type { KnownEnding, KnownReservation } from './known-ending.ts'
import type { BatchEnding } from './run-batch.ts'
import type { Amounts, Reservation } from './spender-port.ts'

/** A caller that wants a reservation, or more of one. */
export interface AskOp {
  readonly kind: 'ask'
  readonly ask: BatchAsk
  readonly used: readonly number[] | null
  /** Monotonic time until which it waits for room. */
  readonly until: number
  readonly signal: AbortSignal | undefined
  recorded: boolean
  /** The spending of an extension is recorded once, however often it is tried. */
  drawn: boolean
  readonly resolve: (reservation: Reservation) => void
  readonly reject: (error: unknown) => void
}

/** A caller that ends one. */
export interface EndOp {
  readonly kind: 'end'
  readonly ending: BatchEnding
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export type Op = AskOp | EndOp

/** An extension that is tried again has been drawn on already, and its holder's knowledge is of before. */
export function drawOf(op: AskOp): BatchEnding {
  const { request, id, units } = op.ask
  if (op.drawn) return { tenant: request.tenant, id, event: 'extend', used: units.map(() => 0), known: null }
  return { ...knownOf(op.ask.extends!), event: 'extend', used: op.used } satisfies KnownEnding
}

export function knownOf({ id, request, hold, spent, lines }: Reservation) {
  const units = unitsOf(hold)
  const known: KnownReservation = {
    ...{ enforcement: request.enforcement, units, lines },
    holds: amountsBeside(units, hold),
    spent: amountsBeside(units, spent),
  }
  return { tenant: request.tenant, id, known }
}

export function wholeAmounts(units: readonly string[], amounts: Amounts): readonly number[] {
  const extra = unitsOf(amounts).filter((unit) => !units.includes(unit) && amounts[unit] !== 0)
  if (extra.length > 0) throw budgetErrors['reservation-invalid'](`the reservation has no unit ${extra.join(', ')}`)
  const values = amountsBeside(units as Parameters<typeof amountsBeside>[0], amounts)
  values.forEach((value, n) => {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw budgetErrors['reservation-invalid'](`${units[n]}: ${value} is no whole number from 0 on`)
    }
  })
  return values
}

export function closing() {
  return budgetErrors['spender-closed']('the process is ending')
}

export function refusedBy(budget: string) {
  return budgetErrors['budget-refused'](`the budget ${budget} has no room for it`, { details: { budget } })
}
