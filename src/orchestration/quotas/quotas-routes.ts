import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { checkRevision } from '../../foundation/platform/http/preconditions.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import { listQuotas, type QuotaView, setQuota } from './quotas-contract.ts'
import { type ListedAccount, listAccounts, lockAccount, putAccount } from './quotas-store.ts'

export interface QuotaRoutesOptions {
  readonly database: Database
  readonly onCommit?: () => void
}

export function quotaRoutes({ database, onCommit }: QuotaRoutesOptions): Route[] {
  const read = (tenant: TenantId) =>
    database.forTenant(tenant).read((tx) => listAccounts(tx, tenant, database.clock.now()))
  return [
    route({
      ...listQuotas,
      permission: 'quotas:read',
      handle: async ({ principal }) => ({ items: (await read(principal.tenant)).map(toView) }),
    }),
    route({
      ...setQuota,
      permission: 'quotas:write',
      handle: async ({ params, body, principal: { tenant }, ifMatch }) => {
        const { provider, ...settings } = body
        const { account: id } = params
        await database.forTenant(tenant).write(async (tx) => {
          const now = database.clock.now()
          if (ifMatch !== 'any') checkRevision(ifMatch, (await lockAccount(tx, tenant, id))?.rev ?? 0)
          const rev = await putAccount(tx, tenant, { id, provider, settings }, now)
          const subject = { kind: 'quota', id, rev }
          await appendEvents(tx, [
            { tenant, type: 'quota.changed', subject, runId: null, at: now, data: { provider, ...settings } },
          ])
          if (onCommit !== undefined) tx.afterCommit(onCommit)
        })
        return toView((await read(tenant)).find((account) => account.id === id)!)
      },
    }),
  ]
}

function toView(row: ListedAccount): QuotaView {
  const { state } = row
  const perMinute = (perSecond: number | null | undefined) => (perSecond == null ? null : Math.round(perSecond * 60))
  const moment = (ms: number | undefined) => (ms === undefined || ms === 0 ? null : new Date(ms).toISOString())
  const blocked = state !== null && state.blockedUntil > row.updatedAt.getTime()
  return {
    ...{ account: row.id, provider: row.provider, settings: row.settings },
    pace: {
      requestsPerMinute: perMinute(state?.requests.perSecond),
      tokensPerMinute: perMinute(state?.tokens.perSecond),
      concurrent: state?.concurrent ?? null,
    },
    blockedUntil: blocked ? moment(state.blockedUntil) : null,
    refusedAt: moment(state?.cutAt),
    ...{ processes: row.processes, inFlight: row.inFlight, waiting: row.waiting },
    updatedAt: row.updatedAt.toISOString(),
    rev: row.rev,
  }
}
