import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'

/** What somebody used that works on subscriptions: those of its pool, or one by its name. */
export interface SubscribedUse {
  readonly tenant: TenantId
  readonly pool: string | null
  readonly subscription: string | null
  /** Its calls passed our gateway: subscriptions that are drawn on by calls leave it alone. */
  readonly metered?: boolean
  readonly tokens: number
  readonly requests: number
  /** Percent of the window that is used up, as the provider tells; null: it tells nothing. */
  readonly percent: number | null
  readonly resetsAt: Date | null
}

/** What one use has taken of a subscription. */
export interface SubscriptionDraw {
  readonly subscription: string
  /** The length of its windows: budgets that begin anew with another count nothing of it. */
  readonly window: string
  /** Whole millionths of the window. */
  readonly ppm: number
}

/** Subscriptions with providers; the `quotas` part provides it. */
export interface SubscriptionPort {
  /** The pools that work on a subscription, as `tenant/pool`; it may be some seconds old. */
  subscribedPools(): Promise<ReadonlySet<string>>
  /** Locks the subscriptions of these uses until the transaction ends: one of several that tell the same goes first. */
  lock(tx: Tx, uses: readonly SubscribedUse[]): Promise<OpenSubscriptions>
  /** The subscriptions whose windows a budget with this window counts; of a budget without windows all. */
  countedBy(tx: ReadTx, tenant: TenantId, window: string): Promise<readonly CountedSubscription[]>
}

export interface OpenSubscriptions {
  /** What a use takes of each of its subscriptions. */
  draw(use: SubscribedUse, now: Date): readonly SubscriptionDraw[]
  /** Writes what was drawn. */
  write(now: Date): Promise<void>
}

export interface CountedSubscription {
  readonly name: string
  readonly window: string
  readonly windowEnd: Date | null
  readonly usedPpm: number
}
