import { isAppError } from '../../foundation/kernel/errors.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type {
  Reservation,
  ReserveRequest,
  SpenderPort,
  SpendingScopes,
} from '../../orchestration/budgets/spender-port.ts'
import { modelErrors } from './models-errors.ts'
import type { Outgoing } from './outgoing.ts'
import type { HeldAmounts } from './standing-hold.ts'
import { StandingHolds, type StandingHoldsOptions } from './standing-holds.ts'
import { type CostAt, holdOf, outputWithin } from './worst-case.ts'

/** On whose account a call is made. */
export interface CallSpender {
  readonly tenant: TenantId
  readonly scopes: SpendingScopes
  /** Of the task, while it lasts. */
  readonly attempt: number | null
}

/** What is held for a call, and where it may go for that. It is ended once. */
export interface CallHold {
  readonly held: HeldAmounts
  readonly targets: readonly Outgoing[]
  /** Output tokens of each answer at most, for the target; null: nothing binds it. */
  limitFor(target: Outgoing): number | null
  /** Errors: `reservation-ended`. */
  settle(used: HeldAmounts): Promise<void>
  /** Nothing was spent. */
  release(): Promise<void>
}

export interface CallHoldsOptions extends StandingHoldsOptions {
  readonly spender: SpenderPort
  readonly costAt: CostAt
  readonly waitMs: number
  /** What a budget still has once everybody has given back; null: no bound, or no such budget. */
  readonly leftOf: (tenant: TenantId, budget: string) => Promise<BudgetLeft | null>
}

export interface BudgetLeft {
  readonly unit: string
  readonly left: number
}

/** A stream may go on for long; whose process dies is found out much earlier. */
const ttlMs = 3_600_000
const nothing: HeldAmounts = { 'micro-usd': 0, tokens: 0 }

/**
 * Holds the worst case of calls, whichever of their targets takes them. Where less is left, the output limit is lowered; where
 * that is not worth a call, it waits.
 */
export class CallHolds {
  readonly #options: CallHoldsOptions
  readonly #standing: StandingHolds

  constructor(options: CallHoldsOptions) {
    this.#options = options
    this.#standing = new StandingHolds(options)
  }

  /** Errors: `budget-refused`, `model-unpriced`. */
  async hold(by: CallSpender, targets: readonly Outgoing[], signal: AbortSignal): Promise<CallHold> {
    const { tenant, scopes, attempt } = by
    const hold = this.#worst(targets, (target) => target.bound.outputTokens)
    const purpose = `model:${targets[0]!.target.model}`
    const request: ReserveRequest = {
      ...{ tenant, scopes, enforcement: 'metered', ttlMs, hold, purpose },
      least: this.#worst(targets, (target) => target.leastOutput),
      ...(attempt === null ? {} : { attempt }),
    }
    // What nobody can price must ask, because the answer may be no.
    if (targets.some(({ unpriced }) => unpriced !== null)) return this.#ownHold(request, targets, signal, () => {})
    const key = JSON.stringify([tenant, scopes, attempt, purpose])
    const taken = this.#standing.take(key, tenant, hold)
    const over = this.#standing.note(key, request)
    if (taken === null) {
      return this.#ownHold(request, targets, signal, over).catch((error: unknown) => {
        over()
        throw error
      })
    }
    const end = async (used: HeldAmounts) => {
      taken.give(used)
      over()
    }
    return {
      ...{ held: hold, targets, settle: end, release: () => end(nothing) },
      limitFor: ({ bound }) => (taken.limited ? bound.outputTokens : null),
    }
  }

  /** Settles what stands. Calls must have ended. */
  close(): Promise<void> {
    return this.#standing.close()
  }

  #worst(targets: readonly Outgoing[], output: (target: Outgoing) => number): HeldAmounts {
    const { costAt } = this.#options
    const holds = targets.map((one) => holdOf({ ...one.bound, outputTokens: output(one) }, one.price, costAt))
    return {
      'micro-usd': Math.max(...holds.map((hold) => hold['micro-usd'])),
      tokens: Math.max(...holds.map((hold) => hold.tokens)),
    }
  }

  async #ownHold(
    request: ReserveRequest,
    targets: readonly Outgoing[],
    signal: AbortSignal,
    over: () => void,
  ): Promise<CallHold> {
    const { spender, costAt } = this.#options
    const reservation = await this.#reserve(request, signal)
    const inUsd = reservation.lines.some(({ unit }) => unit === 'micro-usd')
    const allowed = inUsd ? targets.filter(({ unpriced }) => unpriced === null) : targets
    if (allowed.length === 0) {
      await spender.release(reservation)
      throw modelErrors['model-unpriced'](`${targets[0]!.unpriced}, and a US$ budget binds the call`)
    }
    const bound = reservation.lines.length > 0
    const held = { ...nothing, ...reservation.hold }
    const limitFor = ({ bound: worst, price }: Outgoing) => (bound ? outputWithin(worst, price, held, costAt) : null)
    return {
      ...{ held, targets: allowed, limitFor },
      settle: (used) => {
        over()
        return spender.settle(reservation, used)
      },
      release: () => {
        over()
        return spender.release(reservation)
      },
    }
  }

  /** Waits only for what others may give back: what can never fit is refused at once. */
  async #reserve(request: ReserveRequest, signal: AbortSignal): Promise<Reservation> {
    const { spender, waitMs, leftOf } = this.#options
    try {
      return await spender.reserve(request, signal)
    } catch (error) {
      if (!isAppError(error, 'budget-refused')) throw error
      this.#standing.yield(request.tenant)
      if (waitMs <= 0) throw error
      const left = await leftOf(request.tenant, String(error.details.budget))
      const needed = (request.least as Readonly<Record<string, number>>)[left?.unit ?? ''] ?? 0
      if (left !== null && left.left < needed) throw error
      return spender.reserve({ ...request, waitMs }, signal)
    }
  }
}
