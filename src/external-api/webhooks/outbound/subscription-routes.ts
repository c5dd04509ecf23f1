import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { Database } from '../../../foundation/platform/database/database.ts'
import { type Route, route } from '../../../foundation/platform/http/route.ts'
import {
  cancelDelivery,
  changeSubscription,
  createSubscription,
  type DeliveryView,
  listDeliveries,
  listSubscriptions,
  redeliver,
  removeSubscription,
  replayDeliveries,
  rotateSubscription,
  setSubscriptionState,
  showDelivery,
  showSubscription,
  showSubscriptionSecret,
  testSubscription,
} from '../subscriptions-contract.ts'
import { webhookErrors } from '../webhook-errors.ts'
import { type Delivery, findDelivery, listAttempts, listDeliveryRows } from './deliveries-store.ts'
import { toSubscriptionView } from './subscription.ts'
import type { SubscriptionsService } from './subscriptions-service.ts'

export function subscriptionRoutes(database: Database, subscriptions: SubscriptionsService): Route[] {
  return [
    route({
      ...listSubscriptions,
      permission: 'webhooks:read',
      handle: async ({ principal }) => ({
        items: (await subscriptions.list(principal.tenant)).map(toSubscriptionView),
      }),
    }),
    route({
      ...createSubscription,
      permission: 'webhooks:write',
      handle: async ({ principal, body }) => toSubscriptionView(await subscriptions.create(principal.tenant, body)),
    }),
    route({
      ...showSubscription,
      permission: 'webhooks:read',
      handle: async ({ principal, params }) =>
        toSubscriptionView(await subscriptions.show(principal.tenant, params.id)),
    }),
    route({
      ...changeSubscription,
      permission: 'webhooks:write',
      handle: async ({ principal, params, body, ifMatch }) =>
        toSubscriptionView(await subscriptions.change(principal.tenant, params.id, body, ifMatch)),
    }),
    route({
      ...removeSubscription,
      permission: 'webhooks:write',
      handle: ({ principal, params, ifMatch }) => subscriptions.remove(principal.tenant, params.id, ifMatch),
    }),
    route({
      ...setSubscriptionState,
      permission: 'webhooks:write',
      handle: async ({ principal, params, body, ifMatch }) =>
        toSubscriptionView(await subscriptions.setState(principal.tenant, params.id, body.state, ifMatch)),
    }),
    route({
      ...rotateSubscription,
      permission: 'webhooks:admin',
      handle: async ({ principal, params, body: { overlapSeconds }, ifMatch }) =>
        subscriptions.secretsOf(
          await subscriptions.rotate(principal.tenant, params.id, overlapSeconds * 1_000, ifMatch),
        ),
    }),
    route({
      ...showSubscriptionSecret,
      permission: 'webhooks:admin',
      handle: async ({ principal, params }) =>
        subscriptions.secretsOf(await subscriptions.show(principal.tenant, params.id)),
    }),
    route({
      ...testSubscription,
      permission: 'webhooks:write',
      handle: async ({ principal, params }) => toDeliveryView(await subscriptions.test(principal.tenant, params.id)),
    }),
    route({
      ...replayDeliveries,
      permission: 'webhooks:write',
      handle: async ({ principal, params, body }) => ({
        replayed: await subscriptions.replay(principal.tenant, params.id, {
          from: new Date(body.from),
          until: body.until === undefined ? null : new Date(body.until),
          states: body.states,
        }),
      }),
    }),
    ...deliveryRoutes(database, subscriptions),
  ]
}

function deliveryRoutes(database: Database, subscriptions: SubscriptionsService): Route[] {
  const detail = (tenant: TenantId, id: string) =>
    database.forTenant(tenant).read(async (tx) => {
      const delivery = await findDelivery(tx, tenant, id)
      if (delivery === null) throw webhookErrors['webhook-delivery-not-found'](`there is no delivery ${id}`)
      return { delivery, attempts: await listAttempts(tx, tenant, id) }
    })
  return [
    route({
      ...listDeliveries,
      permission: 'webhooks:read',
      handle: async ({ principal, query }) => {
        const { tenant } = principal
        const { subscription, state, limit } = query
        const which = subscription === undefined ? undefined : (await subscriptions.show(tenant, subscription)).id
        const before = query.after === undefined ? null : Number(query.after)
        const rows = await database.forTenant(tenant).read((tx) =>
          listDeliveryRows(tx, tenant, {
            subscription: which,
            state,
            before: Number.isSafeInteger(before) ? before : null,
            limit: limit + 1,
          }),
        )
        const items = rows.slice(0, limit)
        return { items: items.map(toDeliveryView), next: rows.length > limit ? String(items.at(-1)!.position) : null }
      },
    }),
    route({
      ...showDelivery,
      permission: 'webhooks:read',
      handle: async ({ principal, params }) => {
        const { delivery, attempts } = await detail(principal.tenant, params.id)
        return {
          ...toDeliveryView(delivery),
          body: delivery.body,
          attempts: attempts.map(({ attempt, at, sent }) => ({ attempt, at: at.toISOString(), ...sent })),
        }
      },
    }),
    route({
      ...redeliver,
      permission: 'webhooks:write',
      handle: async ({ principal, params }) =>
        toDeliveryView(await subscriptions.redeliver(principal.tenant, params.id)),
    }),
    route({
      ...cancelDelivery,
      permission: 'webhooks:write',
      handle: async ({ principal, params }) => toDeliveryView(await subscriptions.cancel(principal.tenant, params.id)),
    }),
  ]
}

function toDeliveryView(delivery: Delivery): DeliveryView {
  const { id, subscriptionId, type, state, attempt, lastStatus, lastError, createdAt, endedAt } = delivery
  return {
    id,
    subscriptionId,
    type,
    state,
    attempt,
    dueAt: endedAt === null ? delivery.dueAt.toISOString() : null,
    lastStatus,
    lastError,
    createdAt: createdAt.toISOString(),
    endedAt: endedAt?.toISOString() ?? null,
  }
}
