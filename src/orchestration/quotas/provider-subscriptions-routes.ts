import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { checkRevision } from '../../foundation/platform/http/preconditions.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import type { ProviderSubscriptions } from './provider-subscriptions.ts'
import {
  listProviderSubscriptions,
  type ProviderSubscriptionView,
  removeProviderSubscription,
  setProviderSubscription,
} from './provider-subscriptions-contract.ts'
import {
  deleteSubscription,
  lockSubscriptions,
  putSubscription,
  readSubscriptions,
  type SubscriptionRow,
} from './provider-subscriptions-store.ts'

export interface ProviderSubscriptionRoutesOptions {
  readonly database: Database
  readonly subscriptions: ProviderSubscriptions
  readonly onCommit?: () => void
}

export function providerSubscriptionRoutes({
  database,
  subscriptions,
  onCommit,
}: ProviderSubscriptionRoutesOptions): Route[] {
  const read = async (tenant: TenantId) => {
    const now = database.clock.now()
    const rows = await database.forTenant(tenant).read((tx) => readSubscriptions(tx, tenant))
    return rows.map((row) => toView(row, now))
  }
  const committed = (tx: Tx) =>
    tx.afterCommit(() => {
      subscriptions.forget()
      onCommit?.()
    })
  return [
    route({
      ...listProviderSubscriptions,
      permission: 'quotas:read',
      handle: async ({ principal: { tenant } }) => ({ items: await read(tenant) }),
    }),
    route({
      ...setProviderSubscription,
      permission: 'quotas:write',
      handle: async ({ params: { name }, body, principal: { tenant }, ifMatch }) => {
        await database.forTenant(tenant).write(async (tx) => {
          const now = database.clock.now()
          const [present] = ifMatch === 'any' ? [] : await lockSubscriptions(tx, [tenant], [], [name])
          checkRevision(ifMatch, present?.rev ?? 0)
          const rev = await putSubscription(tx, tenant, name, body, now)
          const subject = { kind: 'provider-subscription', id: name, rev }
          await appendEvents(tx, [
            { tenant, type: 'provider-subscription.changed', subject, runId: null, at: now, data: { ...body } },
          ])
          committed(tx)
        })
        return (await read(tenant)).find((row) => row.name === name)!
      },
    }),
    route({
      ...removeProviderSubscription,
      permission: 'quotas:write',
      handle: async ({ params: { name }, principal: { tenant } }) => {
        const rev = await database.forTenant(tenant).write(async (tx) => {
          const last = await deleteSubscription(tx, tenant, name)
          if (last === null) return null
          const subject = { kind: 'provider-subscription', id: name, rev: last + 1 }
          const at = database.clock.now()
          await appendEvents(tx, [
            { tenant, type: 'provider-subscription.removed', subject, runId: null, at, data: {} },
          ])
          committed(tx)
          return last
        })
        return { removed: rev !== null }
      },
    }),
  ]
}

function toView(row: SubscriptionRow, now: Date): ProviderSubscriptionView {
  const { name, pools, timeWindow, tokens, requests, windowStart, windowEnd, rev } = row
  const present = windowEnd !== null && windowEnd > now
  return {
    ...{ name, pools: [...pools], window: timeWindow, tokens, requests },
    windowStart: windowStart?.toISOString() ?? null,
    windowEnd: windowEnd?.toISOString() ?? null,
    usedTokens: present ? row.usedTokens : 0,
    usedRequests: present ? row.usedRequests : 0,
    usedShare: present ? row.usedPpm / 1_000_000 : 0,
    toldShare: present && row.toldPpm !== null ? row.toldPpm / 1_000_000 : null,
    rev,
  }
}
