import { failpoint } from '../../../foundation/kernel/failpoints.ts'
import type { TenantId } from '../../../foundation/kernel/ids.ts'
import { type Random, systemRandom } from '../../../foundation/kernel/random.ts'
import { transition } from '../../../foundation/kernel/state-table.ts'
import type { Database, Tx } from '../../../foundation/platform/database/database.ts'
import { appendEvents } from '../../../foundation/runtime/event-log.ts'
import { createLoop, type Loop } from '../../../foundation/runtime/loop.ts'
import type { SigningKeys } from '../signing-keys.ts'
import { backoffMs } from './backoff.ts'
import {
  type Claimed,
  claimDeliveries,
  endAttempt,
  insertAttempt,
  postponeFollowers,
  unclaim,
} from './deliveries-store.ts'
import { type DeliveryEvent, deliveryTable } from './delivery-states-contract.ts'
import type { Sender, Sent } from './send.ts'
import { signatureHeaders } from './sign.ts'
import type { Subscription } from './subscription.ts'
import { disableSubscription, findSubscription, noteFailure, noteSuccess } from './subscriptions-store.ts'

export interface DelivererOptions {
  readonly database: Database
  readonly sender: Sender
  readonly keys: SigningKeys
  readonly random?: Random
  /** Requests under way in this process. Default 64. */
  readonly most?: number
  /** Of those, for one subscription. Default 8. */
  readonly perSubscription?: number
  /** After so long without a word a delivery is taken from whoever sends it, ms. Default 60,000. */
  readonly leaseMs?: number
  readonly pollMs?: number
  /** Whether anything may be sent for a tenant. Default: always. */
  readonly isOpen?: (tenant: TenantId) => Promise<boolean>
  /** Called after a commit that appended events. */
  readonly onCommit?: () => void
  readonly onError: (error: unknown) => void
}

/** How long what belongs to a suspended tenant rests. */
const closedMs = 60_000
/** A subscription for which nothing has succeeded for so long when a delivery is given up is switched off. */
const disableAfterMs = 20 * 3_600_000

/** Sends what is due. Each delivery is sent at least once; any number of processes may take part. */
export function startDeliverer(options: DelivererOptions): Loop {
  const { database, most = 64, perSubscription = 8, leaseMs = 60_000 } = options
  const system = database.asSystem('webhook-deliverer')
  const busy = new Map<string, number>()
  const underWay = new Set<Promise<void>>()
  const stopping = new AbortController()

  const claim = () =>
    system.write(async (tx) => {
      const now = database.clock.now()
      const leaseUntil = new Date(now.getTime() + leaseMs)
      const claimed = await claimDeliveries(tx, { now, leaseUntil, limit: most - underWay.size, perSubscription, busy })
      for (const delivery of claimed) {
        if (delivery.lost) await insertAttempt(tx, delivery, lostAttempt(delivery, now))
      }
      return claimed
    })

  const count = (id: string, step: number) => {
    const next = (busy.get(id) ?? 0) + step
    if (next === 0) busy.delete(id)
    else busy.set(id, next)
  }

  const start = (delivery: Claimed) => {
    count(delivery.subscriptionId, 1)
    const work = deliver(options, delivery, stopping.signal)
      .catch(options.onError)
      .finally(() => {
        count(delivery.subscriptionId, -1)
        underWay.delete(work)
        loop.poke()
      })
    underWay.add(work)
  }

  const loop = createLoop({
    pollMs: options.pollMs ?? 500,
    idle: { pulse: database.pulse, pollMs: 4_000 },
    onError: options.onError,
    step: async (signal) => {
      if (underWay.size >= most) return
      const claimed = await claim()
      failpoint('webhook.claimed')
      if (!signal.aborted) for (const delivery of claimed) start(delivery)
    },
  })
  return {
    poke: loop.poke,
    async stop() {
      await loop.stop()
      stopping.abort()
      await Promise.all(underWay)
    },
  }
}

async function deliver(options: DelivererOptions, delivery: Claimed, signal: AbortSignal): Promise<void> {
  const { database, sender, keys } = options
  const scope = database.asSystem('webhook-deliverer')
  const { tenant, id, body } = delivery
  const at = database.clock.now()
  if (options.isOpen !== undefined && !(await options.isOpen(tenant))) {
    return scope.write((tx) => unclaim(tx, delivery, new Date(at.getTime() + closedMs)))
  }
  const subscription = await scope.read((tx) => findSubscription(tx, tenant, delivery.subscriptionId))
  if (subscription === null) return
  const type = subscription.format === 'cloudevents' ? 'application/cloudevents+json' : 'application/json'
  const headers = {
    'content-type': `${type}; charset=utf-8`,
    ...signatureHeaders(keys, subscription, { id, body, now: at }),
  }
  const sent = await sender.send({ url: subscription.url, headers, body }, signal)
  failpoint('webhook.sent')
  await scope.write((tx) => record(options, tx, subscription, delivery, sent, at))
}

/** Writes what came of an attempt, in one transaction with what follows from it. */
async function record(
  options: DelivererOptions,
  tx: Tx,
  subscription: Subscription,
  delivery: Claimed,
  sent: Sent,
  at: Date,
): Promise<void> {
  const { database, random = systemRandom, onCommit } = options
  const now = database.clock.now()
  const failed = delivery.attempt - delivery.attemptsBefore
  const interrupted = sent.error?.startsWith('interrupted') === true
  const pause = interrupted ? 0 : backoffMs(failed, random, sent.retryAfterMs)
  const next = new Date(now.getTime() + pause)
  const event = eventOf(sent, delivery, next)
  const state = transition(deliveryTable, `delivery ${delivery.id}`, 'sending', event)
  const dueAt = state === 'retrying' ? next : now
  const { tenant, id, attempt } = delivery
  if (!(await endAttempt(tx, { tenant, id, attempt, state, dueAt, sent }, now))) return
  await insertAttempt(tx, delivery, { attempt, at, sent })
  await postponeFollowers(tx, delivery, dueAt, now)
  if (event === 'deliver') return noteSuccess(tx, tenant, subscription.id)
  if (!interrupted) await noteFailure(tx, tenant, subscription.id, now)
  if (state !== 'dead') return
  await appendEvents(tx, [
    {
      tenant,
      type: 'webhook-delivery.dead',
      subject: { kind: 'webhook-delivery', id, rev: attempt },
      runId: null,
      at: now,
      data: { subscription: subscription.name, type: delivery.type, attempts: failed, error: sent.error },
    },
  ])
  await disableIfDead(tx, subscription, sent, now)
  if (onCommit !== undefined) tx.afterCommit(onCommit)
}

function eventOf(sent: Sent, delivery: Claimed, next: Date): DeliveryEvent {
  if (sent.error === null) return 'deliver'
  return sent.final || sent.status === 410 || next > delivery.giveUpAt ? 'exhaust' : 'retry'
}

/** 410 is how a receiver says that it wants no more; else a subscription is given up only when nothing works. */
async function disableIfDead(tx: Tx, subscription: Subscription, sent: Sent, now: Date): Promise<void> {
  const gone = sent.status === 410
  const reason = gone
    ? 'the receiver answered 410 Gone'
    : `nothing was delivered for ${disableAfterMs / 3_600_000} hours`
  const since = gone ? null : new Date(now.getTime() - disableAfterMs)
  const disabled = await disableSubscription(tx, subscription.tenant, subscription.id, reason, since, now)
  if (disabled === null) return
  await appendEvents(tx, [
    {
      tenant: subscription.tenant,
      type: 'webhook-subscription.disabled',
      subject: { kind: 'webhook-subscription', id: subscription.id, rev: disabled.rev },
      runId: null,
      at: now,
      data: { name: disabled.name, url: subscription.url, reason, lastError: sent.error },
    },
  ])
}

function lostAttempt(delivery: Claimed, now: Date) {
  const error = 'whoever sent it was lost before it could tell what came of it'
  const sent = { status: null, error, address: null, excerpt: null, durationMs: 0 }
  return { attempt: delivery.attempt - 1, at: now, sent }
}
