import type { IdSource, TenantId } from '../../../foundation/kernel/ids.ts'
import { transition } from '../../../foundation/kernel/state-table.ts'
import type { Database, ReadTx, Tx } from '../../../foundation/platform/database/database.ts'
import { checkRevision, type ExpectedRevision } from '../../../foundation/platform/http/preconditions.ts'
import type { AddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import { appendEvents } from '../../../foundation/runtime/event-log.ts'
import type { RuleLanguage } from '../rule-language.ts'
import type { SigningKeys } from '../signing-keys.ts'
import type { SubscriptionState, WriteSubscription } from '../subscriptions-contract.ts'
import { webhookErrors } from '../webhook-errors.ts'
import { giveUpAfterMs } from './backoff.ts'
import {
  cancelOpen,
  type Delivery,
  findDelivery,
  insertDeliveries,
  lockDelivery,
  renewOpen,
  reopenDelivery,
  reopenRange,
  setDeliveryState,
} from './deliveries-store.ts'
import { deliveryTable } from './delivery-states-contract.ts'
import { bodyOf, filterNames } from './enqueue-deliveries.ts'
import type { Subscription } from './subscription.ts'
import {
  deleteSubscription,
  findSubscription,
  insertSubscription,
  listSubscriptionRows,
  updateSubscription,
} from './subscriptions-store.ts'

export interface SubscriptionsOptions {
  readonly database: Database
  readonly ids: IdSource
  readonly keys: SigningKeys
  readonly language: RuleLanguage
  readonly guard: AddressGuard
  /** Called when something waits to be sent. */
  readonly onDue: () => void
}

/** Receivers of events, and what a person may do to their deliveries. */
export class SubscriptionsService {
  readonly #options: SubscriptionsOptions

  constructor(options: SubscriptionsOptions) {
    this.#options = options
  }

  list(tenant: TenantId): Promise<readonly Subscription[]> {
    return this.#options.database.forTenant(tenant).read((tx) => listSubscriptionRows(tx, tenant))
  }

  show(tenant: TenantId, which: string): Promise<Subscription> {
    return this.#options.database.forTenant(tenant).read((tx) => this.#find(tx, tenant, which))
  }

  async create(tenant: TenantId, input: WriteSubscription): Promise<Subscription> {
    const { database, ids, keys } = this.#options
    const now = database.clock.now()
    const subscription: Subscription = {
      ...this.#shape(input),
      tenant,
      id: ids.next<string>('wsub'),
      keyId: keys.keyId,
      secretVersion: 1,
      previousUntil: null,
      state: 'active',
      reason: null,
      failingSince: null,
      failures: 0,
      rev: 1,
      createdAt: now,
      updatedAt: now,
    }
    await this.#write(tenant, async (tx) => {
      if (!(await insertSubscription(tx, subscription))) throw taken(input.name)
      await this.#tell(tx, subscription, 'created', now)
    })
    return subscription
  }

  /** Throws `precondition-failed` where `expected` is not its present revision. */
  change(tenant: TenantId, which: string, input: WriteSubscription, expected: ExpectedRevision): Promise<Subscription> {
    return this.#update(tenant, which, 'changed', expected, (s) => ({ ...s, ...this.#shape(input) }))
  }

  async setState(
    tenant: TenantId,
    which: string,
    state: Exclude<SubscriptionState, 'disabled'>,
    expected: ExpectedRevision,
  ): Promise<Subscription> {
    const { database } = this.#options
    const event = state === 'active' ? 'activated' : 'paused'
    return this.#update(
      tenant,
      which,
      event,
      expected,
      (s) => ({ ...s, state, reason: null, failingSince: null, failures: 0 }),
      async (tx, s) => {
        const now = database.clock.now()
        if (state === 'active') await renewOpen(tx, tenant, s.id, now, new Date(now.getTime() + giveUpAfterMs))
      },
    )
  }

  /** Makes new keys; until `overlapMs` have passed everything is signed with the old ones too. */
  rotate(tenant: TenantId, which: string, overlapMs: number, expected: ExpectedRevision): Promise<Subscription> {
    const { database, keys } = this.#options
    return this.#update(tenant, which, 'rotated', expected, (s) => ({
      ...s,
      secretVersion: s.secretVersion + 1,
      previousUntil: s.keyId === keys.keyId ? new Date(database.clock.now().getTime() + overlapMs) : null,
      keyId: keys.keyId,
    }))
  }

  async remove(tenant: TenantId, which: string, expected: ExpectedRevision): Promise<void> {
    const { database } = this.#options
    await this.#write(tenant, async (tx) => {
      const now = database.clock.now()
      const subscription = await this.#find(tx, tenant, which)
      checkRevision(expected, subscription.rev)
      await cancelOpen(tx, tenant, subscription.id, now)
      if (!(await deleteSubscription(tx, subscription))) throw stale(subscription)
      await this.#tell(tx, { ...subscription, rev: subscription.rev + 1 }, 'removed', now)
    })
  }

  secretsOf(subscription: Subscription): { id: string; secret: string; publicKey: string } {
    const { keys } = this.#options
    const owner = { ...subscription, version: subscription.secretVersion }
    return { id: subscription.id, secret: keys.secretOf(owner), publicKey: keys.pairOf(owner).publicKey }
  }

  /** Sends one event made for the purpose, whatever types the subscription wants. */
  test(tenant: TenantId, which: string): Promise<Delivery> {
    const { database, ids } = this.#options
    return this.#write(tenant, async (tx) => {
      const now = database.clock.now()
      const s = await this.#find(tx, tenant, which)
      const id = ids.next<string>('whd')
      const data = { message: 'A test of this subscription.' }
      const subject = { kind: 'webhook-subscription', id: s.id, rev: s.rev }
      const event = { tenant, type: 'webhook.test', subject, runId: null, at: now, data, tick: 0, seq: 0 }
      const delivery = { tenant, id, subscriptionId: s.id, type: event.type, orderKey: null, body: bodyOf(s, event, 0) }
      await insertDeliveries(tx, [delivery], now, new Date(now.getTime() + giveUpAfterMs))
      tx.afterCommit(this.#options.onDue)
      return (await findDelivery(tx, tenant, id))!
    })
  }

  /** Sends an ended delivery once more, or one that waits for its next try at once. */
  redeliver(tenant: TenantId, id: string): Promise<Delivery> {
    return this.#onDelivery(tenant, id, 'again', async (tx, _state, now) => {
      await reopenDelivery(tx, tenant, id, now, new Date(now.getTime() + giveUpAfterMs))
      tx.afterCommit(this.#options.onDue)
    })
  }

  cancel(tenant: TenantId, id: string): Promise<Delivery> {
    return this.#onDelivery(tenant, id, 'cancel', (tx, state, now) => setDeliveryState(tx, tenant, id, state, now))
  }

  /** Sends the ended deliveries of a half-open time again, in their order. Returns how many. */
  async replay(
    tenant: TenantId,
    which: string,
    range: { readonly from: Date; readonly until: Date | null; readonly states: readonly Delivery['state'][] },
  ): Promise<number> {
    const { database } = this.#options
    return this.#write(tenant, async (tx) => {
      const now = database.clock.now()
      const until = range.until ?? now
      if (until < range.from) throw webhookErrors['webhook-replay-range']('the range ends before it begins')
      const { id } = await this.#find(tx, tenant, which)
      tx.afterCommit(this.#options.onDue)
      return reopenRange(
        tx,
        tenant,
        { ...range, until, subscription: id },
        now,
        new Date(now.getTime() + giveUpAfterMs),
      )
    })
  }

  async #onDelivery(
    tenant: TenantId,
    id: string,
    event: 'again' | 'cancel',
    act: (tx: Tx, state: Delivery['state'], now: Date) => Promise<void>,
  ): Promise<Delivery> {
    return this.#write(tenant, async (tx) => {
      const delivery = await lockDelivery(tx, tenant, id)
      if (delivery === null) throw webhookErrors['webhook-delivery-not-found'](`there is no delivery ${id}`)
      await act(
        tx,
        transition(deliveryTable, `delivery ${id}`, delivery.state, event),
        this.#options.database.clock.now(),
      )
      return (await findDelivery(tx, tenant, id))!
    })
  }

  async #update(
    tenant: TenantId,
    which: string,
    event: string,
    expected: ExpectedRevision,
    change: (subscription: Subscription) => Subscription,
    then: (tx: Tx, subscription: Subscription) => Promise<void> = async () => {},
  ): Promise<Subscription> {
    const { database, onDue } = this.#options
    return this.#write(tenant, async (tx) => {
      const now = database.clock.now()
      const present = await this.#find(tx, tenant, which)
      checkRevision(expected, present.rev)
      const changed = { ...change(present), rev: present.rev + 1, updatedAt: now }
      const other = changed.name === present.name ? null : await findSubscription(tx, tenant, changed.name)
      if (other !== null) throw taken(changed.name)
      if (!(await updateSubscription(tx, changed))) throw stale(present)
      await then(tx, changed)
      await this.#tell(tx, changed, event, now)
      tx.afterCommit(onDue)
      return changed
    })
  }

  #write<T>(tenant: TenantId, fn: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#options.database.forTenant(tenant).write(fn)
  }

  #tell(tx: Tx, { tenant, id, name, url, state, rev }: Subscription, what: string, now: Date): Promise<void> {
    const subject = { kind: 'webhook-subscription', id, rev }
    const type = `webhook-subscription.${what}`
    return appendEvents(tx, [{ tenant, type, subject, runId: null, at: now, data: { name, url, state } }])
  }

  async #find(tx: ReadTx, tenant: TenantId, which: string): Promise<Subscription> {
    const found = await findSubscription(tx, tenant, which)
    if (found === null) throw webhookErrors['webhook-subscription-not-found'](`there is no subscription ${which}`)
    return found
  }

  #shape(input: WriteSubscription) {
    const { name, types, filter = null, ordering, format, signatures } = input
    const url = this.#options.guard.checkUrl(input.url).href
    if (filter !== null) this.#options.language.checkCondition(filter, filterNames)
    return { name, url, types, filter, ordering, format, signatures: [...new Set(signatures)] }
  }
}

function stale({ name }: Subscription): Error {
  return webhookErrors['webhook-changed'](`the subscription ${name} is being changed by somebody else`)
}

function taken(name: string): Error {
  return webhookErrors['webhook-name-taken'](`there is a subscription ${name} already`)
}
