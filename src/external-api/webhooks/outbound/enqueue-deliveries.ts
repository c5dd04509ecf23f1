import { AppError } from '../../../foundation/kernel/errors.ts'
import type { IdSource } from '../../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../../foundation/kernel/json.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import { headPosition } from '../../../foundation/runtime/cursors.ts'
import type { LoggedEvent } from '../../../foundation/runtime/event-log.ts'
import { toCloudEvent } from '../../streams/cloud-event-contract.ts'
import { typeFilter } from '../../streams/event-types-contract.ts'
import type { RuleLanguage } from '../rule-language.ts'
import { giveUpAfterMs } from './backoff.ts'
import { insertDeliveries, type NewDelivery } from './deliveries-store.ts'
import type { Subscription } from './subscription.ts'
import { listOpenSubscriptions } from './subscriptions-store.ts'

export interface EnqueueOptions {
  readonly ids: IdSource
  readonly language: RuleLanguage
  /** Called after a commit that left something to send. */
  readonly onEnqueued: () => void
}

/** What a filter can see. */
export const filterNames = ['event'] as const

/**
 * Turns events into deliveries, in the transaction that moves the durable reader: each event once for each subscription
 * that wants it, whatever is killed.
 */
export function createEnqueue({ ids, language, onEnqueued }: EnqueueOptions) {
  return async (tx: Tx, events: readonly LoggedEvent[], now: Date): Promise<void> => {
    const subscriptions = await listOpenSubscriptions(tx, [...new Set(events.map((event) => event.tenant))])
    if (subscriptions.length === 0) return
    const { epoch } = await headPosition(tx)
    const byTenant = Map.groupBy(subscriptions, ({ tenant }) => tenant)
    const wants = new Map(subscriptions.map((s) => [s.id, typeFilter(s.types)]))
    const deliveries: NewDelivery[] = []
    for (const event of events) {
      // A delivery that fails must not cause further ones.
      if (event.type.startsWith('webhook-delivery.')) continue
      for (const subscription of byTenant.get(event.tenant) ?? []) {
        if (!wants.get(subscription.id)!(event.type) || !passes(language, subscription, event)) continue
        deliveries.push({
          tenant: subscription.tenant,
          id: ids.next<string>('whd'),
          subscriptionId: subscription.id,
          type: event.type,
          orderKey: subscription.ordering === 'subject' ? `${event.subject.kind}/${event.subject.id}` : null,
          body: bodyOf(subscription, event, epoch),
        })
      }
    }
    await insertDeliveries(tx, deliveries, now, new Date(now.getTime() + giveUpAfterMs))
    if (deliveries.length > 0) tx.afterCommit(onEnqueued)
  }
}

/** A filter without a value, say because the data lacks a field, is one that does not pass. */
function passes(language: RuleLanguage, { filter }: Subscription, event: LoggedEvent): boolean {
  if (filter === null) return true
  try {
    return language.condition(filter, { event: viewOf(event) })
  } catch (error) {
    if (error instanceof AppError && error.kind === 'input') return false
    throw error
  }
}

function viewOf(event: LoggedEvent): JsonObject {
  return {
    type: event.type,
    subject: { kind: event.subject.kind, id: event.subject.id },
    run: event.runId,
    at: event.at.toISOString(),
    data: event.data ?? null,
  }
}

/** The body is fixed here: every attempt sends, and signs, the same bytes. */
export function bodyOf({ format }: Pick<Subscription, 'format'>, event: LoggedEvent, epoch: number): string {
  const cloudEvent = toCloudEvent(event, epoch)
  if (format === 'cloudevents') return JSON.stringify(cloudEvent)
  const { id, type, subject, time, rev, cursor, data } = cloudEvent
  return JSON.stringify({ type, timestamp: time, data: { id, subject, rev, runId: event.runId, cursor, data } })
}
