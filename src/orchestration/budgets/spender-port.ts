import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { EnforcementClass } from '../agents/agent-adapter.ts'
import type { LedgerUnit } from './budget-units-contract.ts'

/** On whose account something is spent. Every budget of the tenant and of each that is named binds. */
export interface SpendingScopes {
  readonly team?: string
  readonly workflow?: string
  readonly run?: string
  readonly task?: string
  readonly agent?: string
}

/** Amounts in whole units of the ledger. */
export type Amounts = Readonly<Partial<Record<LedgerUnit, number>>>

export interface ReserveRequest {
  readonly tenant: TenantId
  readonly scopes: SpendingScopes
  /** What may be spent until the next call of `extend` or `settle`: counts against hard limits. */
  readonly hold: Amounts
  /** Less than `hold` will do, down to this much; the reservation says what it got. Default: `hold`, all or nothing. */
  readonly least?: Amounts
  /** What will probably be spent; orders the queue, admits nothing. Default: as learned for `purpose`. */
  readonly expected?: Amounts
  readonly enforcement: EnforcementClass
  /**
   * What becomes of the hold when nobody settles it, because its holder or its lease died. `count`: it may have been
   * spent, so it counts in full until somebody knows better. `release`: it cannot have been spent. Default: `count` for
   * metered, else `release`.
   */
  readonly ifLost?: 'count' | 'release'
  /** The attempt on whose behalf: what it still holds is ended when its lease is. */
  readonly attempt?: number
  /** 0 to 9, higher first. Default 5. */
  readonly priority?: number
  /** What for, for example `model:sonnet`; spending is learned by it. */
  readonly purpose?: string
  /** How long to wait for room, ms. Default 0: refused at once. */
  readonly waitMs?: number
  /** Time after which it counts as lost, ms. Default 5 min; `extend` begins it anew. */
  readonly ttlMs?: number
}

export interface ReservationLine {
  readonly budget: string
  readonly scope: string
  readonly unit: LedgerUnit
  /** Start of the window in which it is settled, ISO 8601; null where the budget has none. */
  readonly window: string | null
}

/** A hold that was granted. A value: `extend` returns its successor. */
export interface Reservation {
  readonly id: string
  readonly request: ReserveRequest
  /** What may be spent of it; no more than was asked for. */
  readonly hold: Amounts
  /** What is on record as spent of it. */
  readonly spent: Amounts
  /** The budgets that bind it. Empty: none does. */
  readonly lines: readonly ReservationLine[]
}

/** Reserve, then spend, then settle. What many callers ask for at once travels to the database together. */
export interface SpenderPort {
  /** Errors: `budget-refused`, which names the budget; the reason of `signal`. */
  reserve(request: ReserveRequest, signal?: AbortSignal): Promise<Reservation>
  /**
   * Records what was spent since, and holds `hold` from now on. Where that is refused, the error says for which budget,
   * and what is left of the old hold stays. Errors: `budget-refused`, `reservation-ended`.
   */
  extend(reservation: Reservation, used: Amounts, hold: Amounts, signal?: AbortSignal): Promise<Reservation>
  /** Records what was spent since the last call and gives the rest back, in the window of the hold. Errors: `reservation-ended`. */
  settle(reservation: Reservation, used: Amounts): Promise<void>
  /** Gives everything back: nothing was spent since the last call. */
  release(reservation: Reservation): Promise<void>
}
