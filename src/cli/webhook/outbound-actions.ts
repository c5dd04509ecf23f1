import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '../../client/client.ts'
import {
  createSubscription,
  type DeliveryDetail,
  type DeliveryState,
  listDeliveries,
  listSubscriptions,
  redeliver as redeliverEndpoint,
  removeSubscription,
  replayDeliveries,
  setSubscriptionState,
  showDelivery,
  showSubscription,
  showSubscriptionSecret,
  testSubscription,
} from '../../external-api/webhooks/subscriptions-contract.ts'
import { cliErrors } from '../cli-errors.ts'
import type { CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { oneLine, table } from '../text.ts'
import { instant, need, type WebhookAction, type WebhookOptions } from './webhook-options.ts'

export const actions: Readonly<Record<string, WebhookAction>> = {
  subscribe,
  subscriptions,
  deliveries,
  redeliver,
  test,
  replay,
  pause: (context, options) => setState(context, options, 'paused'),
  resume: (context, options) => setState(context, options, 'active'),
  unsubscribe,
}

async function subscribe(context: CliContext, options: WebhookOptions): Promise<number> {
  const { out } = context
  const body = {
    name: need(options, 'name', options.name),
    url: need(options, 'url', options.url),
    types: (options.types ?? '').split(',').flatMap((type) => (type.trim() === '' ? [] : [type.trim()])),
    filter: options.filter,
    ordering: options.ordering,
    format: options.format,
    signatures: options.asymmetric === true ? ['v1' as const, 'v1a' as const] : undefined,
  }
  return withConnection(context, { work: false }, async ({ client }) => {
    const subscription = await client.call(createSubscription, { body })
    const { secret, publicKey } = await client.call(showSubscriptionSecret, { params: { id: subscription.id } })
    out.document({ ...subscription, secret, publicKey })
    out.lines(
      ...table([
        ['Subscription', subscription.id],
        ['Secret', secret],
        ['Public Key', publicKey],
      ]),
    )
    out.note(`next  leanvibe webhook --action test --id ${subscription.name}`)
    return 0
  })
}

async function subscriptions(context: CliContext): Promise<number> {
  const { out } = context
  return withConnection(context, { work: false }, async ({ client }) => {
    const { items } = await client.call(listSubscriptions)
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines('no subscription yet; add one: leanvibe webhook --action subscribe')
    else
      out.lines(
        ...table(
          items.map(({ name, state, types, failures, reason, url }) => [
            name,
            state,
            types.join(',') || 'all',
            failures === 0 ? 'well' : `${failures} failures`,
            oneLine(reason ?? url, 100),
          ]),
        ),
      )
    return 0
  })
}

/** A list, or with --id one delivery with its attempts. */
async function deliveries(context: CliContext, options: WebhookOptions): Promise<number> {
  const { out } = context
  return withConnection(context, { work: false }, async ({ client }) => {
    if (options.id?.startsWith('whd_') === true) {
      tellDelivery(context, await client.call(showDelivery, { params: { id: options.id } }))
      return 0
    }
    const { items } = await client.call(listDeliveries, {
      query: { limit: options.limit, subscription: options.id, state: options.state as DeliveryState | undefined },
    })
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines('no deliveries')
    else
      out.lines(
        ...table(
          items.map((item) => [
            item.id,
            item.type,
            item.state,
            `${item.attempt} tries`,
            item.createdAt.slice(0, 19).replace('T', ' '),
            oneLine(item.lastError ?? '', 80),
          ]),
        ),
      )
    return 0
  })
}

async function redeliver(context: CliContext, options: WebhookOptions): Promise<number> {
  const id = need(options, 'id', options.id)
  return withConnection(context, { work: true }, async ({ client }) => {
    await client.call(redeliverEndpoint, { params: { id } })
    return tellEnd(context, client, await untilTried(context, client, id))
  })
}

async function test(context: CliContext, options: WebhookOptions): Promise<number> {
  const params = { id: need(options, 'id', options.id) }
  return withConnection(context, { work: true }, async ({ client }) => {
    const { id } = await client.call(testSubscription, { params })
    return tellEnd(context, client, await untilTried(context, client, id))
  })
}

/** A request takes 15 s at most; what has not begun by then has others before it. */
const patienceMs = 20_000

/** Looks until the delivery has been tried, or it is clear that it is not its turn: then it is `pending`. */
async function untilTried({ interrupts }: CliContext, client: Client, id: string): Promise<DeliveryDetail> {
  const { attempts, subscriptionId } = await client.call(showDelivery, { params: { id } })
  const before = attempts.length
  const { state } = await client.call(showSubscription, { params: { id: subscriptionId } })
  const until = performance.now() + (state === 'active' ? patienceMs : 0)
  for (;;) {
    const delivery = await client.call(showDelivery, { params: { id }, signal: interrupts.signal })
    const tried = delivery.attempts.length > before || delivery.attempts.length === delivery.attempt
    if (delivery.state !== 'pending' && delivery.state !== 'sending' && tried) return delivery
    if (delivery.state === 'pending' && performance.now() >= until) return delivery
    await delay(100, undefined, { signal: interrupts.signal })
  }
}

async function tellEnd(context: CliContext, client: Client, delivery: DeliveryDetail): Promise<number> {
  tellDelivery(context, delivery)
  if (delivery.state === 'delivered') return 0
  if (delivery.state === 'pending') {
    const { name, state } = await client.call(showSubscription, { params: { id: delivery.subscriptionId } })
    if (state === 'active') context.out.lines('it waits for earlier deliveries of its subject, and is sent after them')
    else context.out.lines(`it waits, because ${name} is ${state}: leanvibe webhook --action resume --id ${name}`)
    return 0
  }
  throw cliErrors['webhook-not-delivered'](delivery.lastError ?? 'the receiver did not take it')
}

function tellDelivery({ out }: CliContext, delivery: DeliveryDetail): void {
  out.document(delivery)
  out.lines(
    `${delivery.id}  ${delivery.type}  ${delivery.state}`,
    ...table(
      delivery.attempts.map(({ attempt, at, durationMs, status, error, excerpt }) => [
        `  ${attempt}.`,
        at.slice(0, 19).replace('T', ' '),
        `${durationMs} ms`,
        status === null ? '-' : String(status),
        oneLine(error ?? excerpt ?? '', 120),
      ]),
    ),
  )
}

async function replay(context: CliContext, options: WebhookOptions): Promise<number> {
  const params = { id: need(options, 'id', options.id) }
  const from = instant('from', need(options, 'from', options.from))
  const until = options.until === undefined ? undefined : instant('until', options.until)
  const states = options.state === undefined ? undefined : [options.state as 'dead']
  return withConnection(context, { work: true }, async ({ client }) => {
    const { replayed } = await client.call(replayDeliveries, { params, body: { from, until, states } })
    context.out.document({ replayed })
    context.out.lines(`${replayed} deliveries are sent again`)
    return 0
  })
}

async function setState(context: CliContext, options: WebhookOptions, state: 'active' | 'paused'): Promise<number> {
  const params = { id: need(options, 'id', options.id) }
  return withConnection(context, { work: false }, async ({ client }) => {
    const subscription = await client.call(setSubscriptionState, { params, body: { state } })
    context.out.document(subscription)
    context.out.lines(`${subscription.name} is ${subscription.state}`)
    return 0
  })
}

async function unsubscribe(context: CliContext, options: WebhookOptions): Promise<number> {
  const id = need(options, 'id', options.id)
  return withConnection(context, { work: false }, async ({ client }) => {
    await client.call(removeSubscription, { params: { id } })
    context.out.document({ removed: id })
    context.out.lines(`${id} is removed`)
    return 0
  })
}
