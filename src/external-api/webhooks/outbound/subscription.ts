import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { SubscriptionState, SubscriptionView, WriteSubscription } from '../subscriptions-contract.ts'

/** A receiver of events. */
export interface Subscription {
  readonly tenant: TenantId
  readonly id: string
  readonly name: string
  readonly url: string
  readonly types: readonly string[]
  readonly filter: string | null
  readonly ordering: WriteSubscription['ordering']
  readonly format: WriteSubscription['format']
  readonly signatures: WriteSubscription['signatures']
  readonly keyId: string
  readonly secretVersion: number
  /** Until then everything is signed with the keys before the present ones too. */
  readonly previousUntil: Date | null
  readonly state: SubscriptionState
  readonly reason: string | null
  /** The first failed attempt since the last success. */
  readonly failingSince: Date | null
  readonly failures: number
  readonly rev: number
  readonly createdAt: Date
  readonly updatedAt: Date
}

export function toSubscriptionView(subscription: Subscription): SubscriptionView {
  const { id, name, url, types, filter, ordering, format, signatures, state, reason, failures, rev } = subscription
  return {
    id,
    name,
    url,
    types: [...types],
    ...(filter === null ? {} : { filter }),
    ordering,
    format,
    signatures: [...signatures],
    state,
    reason,
    failingSince: subscription.failingSince?.toISOString() ?? null,
    failures,
    rev,
    createdAt: subscription.createdAt.toISOString(),
    updatedAt: subscription.updatedAt.toISOString(),
  }
}
