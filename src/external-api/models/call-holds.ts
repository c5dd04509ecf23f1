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
import { type CostAt, holdOf, outputWithin } from './worst-case.ts'

/** On whose account a call is made. */
export interface CallSpender {
  readonly tenant: TenantId
  readonly scopes: SpendingScopes
  /** Of the task, while it lasts. */
  readonly attempt: number | null
}

/** What is held for a call, and where it may go for that. */
export interface CallHold {
  readonly reservation: Reservation
  readonly targets: readonly Outgoing[]
  /** Output tokens of each answer at most, for the target; null: nothing binds it. */
  limitFor(target: Outgoing): number | null
}

export interface CallHoldsOptions {
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

/**
 * Holds the worst case of a call, whichever of its targets takes it. Where less is left, the output limit is lowered; where
 * that is not worth a call, it waits. Errors: `budget-refused`, `model-unpriced`.
 */
export async function holdCall(
  options: CallHoldsOptions,
  by: CallSpender,
  targets: readonly Outgoing[],
  signal: AbortSignal,
): Promise<CallHold> {
  const { costAt } = options
  const worst = (output: (target: Outgoing) => number) => {
    const holds = targets.map((one) => holdOf({ ...one.bound, outputTokens: output(one) }, one.price, costAt))
    return {
      'micro-usd': Math.max(...holds.map((hold) => hold['micro-usd'])),
      tokens: Math.max(...holds.map((hold) => hold.tokens)),
    }
  }
  const reservation = await reserve(
    options,
    {
      ...{ tenant: by.tenant, scopes: by.scopes, enforcement: 'metered', ttlMs },
      hold: worst((target) => target.bound.outputTokens),
      least: worst((target) => target.leastOutput),
      ...(by.attempt === null ? {} : { attempt: by.attempt }),
      purpose: `model:${targets[0]!.target.model}`,
    },
    signal,
  )
  const inUsd = reservation.lines.some(({ unit }) => unit === 'micro-usd')
  const allowed = inUsd ? targets.filter(({ unpriced }) => unpriced === null) : targets
  if (allowed.length === 0) {
    await options.spender.release(reservation)
    throw modelErrors['model-unpriced'](`${targets[0]!.unpriced}, and a US$ budget binds the call`)
  }
  const bound = reservation.lines.length > 0
  return {
    reservation,
    targets: allowed,
    limitFor: ({ bound: worstCase, price }) =>
      bound ? outputWithin(worstCase, price, reservation.hold, costAt) : null,
  }
}

/** Waits only for what others may give back: what can never fit is refused at once. */
async function reserve(
  { spender, waitMs, leftOf }: CallHoldsOptions,
  request: ReserveRequest,
  signal: AbortSignal,
): Promise<Reservation> {
  try {
    return await spender.reserve(request, signal)
  } catch (error) {
    if (!isAppError(error, 'budget-refused') || waitMs <= 0) throw error
    const left = await leftOf(request.tenant, String(error.details.budget))
    const needed = (request.least as Readonly<Record<string, number>>)[left?.unit ?? ''] ?? 0
    if (left !== null && left.left < needed) throw error
    return spender.reserve({ ...request, waitMs }, signal)
  }
}
