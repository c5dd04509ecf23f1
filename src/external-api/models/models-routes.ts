import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ModelPrice } from '../../foundation/kernel/model-price.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { parsePlace, toPage } from '../../foundation/platform/http/page.ts'
import { checkRevision } from '../../foundation/platform/http/preconditions.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import {
  listCalls,
  lockSettings,
  type ModelCall,
  putSettings,
  readContents,
  readSettings,
  spendingOfRun,
} from './calls-store.ts'
import type { ModelCatalog } from './catalog.ts'
import type { ModelKeyRow } from './keys/keys-store.ts'
import type { ModelKeys } from './keys/model-keys.ts'
import {
  createModelKey,
  listModelCalls,
  listModelKeysEndpoint,
  listModels,
  type ModelCallView,
  type ModelKeyView,
  revokeModelKeyEndpoint,
  setModelSettings,
  showModelCall,
  showModelSettings,
  showRunModels,
} from './models-contract.ts'
import { modelErrors } from './models-errors.ts'
import type { CallRecorder } from './recorder.ts'

export interface ModelRoutesOptions {
  readonly database: Database
  readonly catalog: ModelCatalog
  readonly keys: ModelKeys
  readonly recorder: CallRecorder
  readonly priceOf: (model: string, at: Date) => ModelPrice | null
  /** Throws `run-not-found`; the `runs` part provides it. */
  readonly requireRun: (tx: ReadTx, tenant: TenantId, runId: string) => Promise<void>
  readonly onCommit?: () => void
}

/** What people see and set of models; the calls themselves have routes of their own. */
export function modelRoutes(options: ModelRoutesOptions): Route[] {
  return [...nameRoutes(options), ...keyRoutes(options), ...callRoutes(options), ...settingsRoutes(options)]
}

function nameRoutes({ database, catalog, priceOf }: ModelRoutesOptions): Route[] {
  return [
    route({
      ...listModels,
      permission: 'models:read',
      handle: ({ principal: { tenant } }) => {
        const patterns = catalog.patterns(tenant).map(({ account, pattern }) => ({
          ...{
            name: pattern,
            targets: [{ account: account.name, provider: account.provider, model: pattern }],
            price: null,
          },
        }))
        const names = catalog.list(tenant).map(({ name, places }) => {
          const targets = places.map(({ account, model }) => ({
            account: account.name,
            provider: account.provider,
            model,
          }))
          const price = priceOf(places[0]!.model, database.clock.now())
          return { name, targets, price: price === null ? null : { input: price.input, output: price.output } }
        })
        return { items: [...names, ...patterns] }
      },
    }),
  ]
}

function keyRoutes({ keys }: ModelRoutesOptions): Route[] {
  return [
    route({
      ...createModelKey,
      permission: 'models:admin',
      handle: async ({ body, principal }) => {
        const { key, row } = await keys.create(principal.tenant, principal.id, body)
        return { key, ...toKeyView(row) }
      },
    }),
    route({
      ...listModelKeysEndpoint,
      permission: 'models:admin',
      handle: async ({ query, principal }) => ({
        items: (await keys.list(principal.tenant, query.limit)).map(toKeyView),
      }),
    }),
    route({
      ...revokeModelKeyEndpoint,
      permission: 'models:admin',
      handle: async ({ params, principal }) => toKeyView(await keys.revoke(principal.tenant, params.id)),
    }),
  ]
}

function callRoutes({ database, requireRun }: ModelRoutesOptions): Route[] {
  return [
    route({
      ...listModelCalls,
      permission: 'budgets:read',
      handle: async ({ query: { limit, after, run }, principal: { tenant } }) => {
        const filter = { run, before: parsePlace(after), limit: limit + 1 }
        const rows = await database.forTenant(tenant).read((tx) => listCalls(tx, tenant, filter))
        return toPage(rows.map(toCallView), limit, ({ startedAt }) => startedAt)
      },
    }),
    route({
      ...showModelCall,
      permission: 'models:admin',
      handle: async ({ params: { id }, principal: { tenant } }) => {
        const found = await database.forTenant(tenant).read((tx) => readContents(tx, tenant, id))
        if (found === null) throw modelErrors['model-call-not-found'](`nothing is kept of a call ${id}`)
        const { request, answer, cut, keptUntil } = found
        return { id, request, answer, cut, keptUntil: keptUntil.toISOString() }
      },
    }),
    route({
      ...showRunModels,
      permission: 'budgets:read',
      handle: async ({ params: { id }, principal: { tenant } }) => {
        const items = await database.forTenant(tenant).read(async (tx) => {
          await requireRun(tx, tenant, id)
          return spendingOfRun(tx, tenant, id)
        })
        return { items: [...items], microUsd: items.reduce((sum, item) => sum + item.microUsd, 0) }
      },
    }),
  ]
}

function settingsRoutes({ database, recorder, onCommit }: ModelRoutesOptions): Route[] {
  return [
    route({
      ...showModelSettings,
      permission: 'models:read',
      handle: ({ principal: { tenant } }) => database.forTenant(tenant).read((tx) => readSettings(tx, tenant)),
    }),
    route({
      ...setModelSettings,
      permission: 'models:admin',
      handle: async ({ body, principal: { tenant }, ifMatch }) => {
        const settings = await database.forTenant(tenant).write(async (tx) => {
          checkRevision(ifMatch, (await lockSettings(tx, tenant)).rev)
          const now = database.clock.now()
          const rev = await putSettings(tx, tenant, body, now)
          const subject = { kind: 'model-settings', id: tenant, rev }
          await appendEvents(tx, [
            { tenant, type: 'model-settings.changed', subject, runId: null, at: now, data: body },
          ])
          if (onCommit !== undefined) tx.afterCommit(onCommit)
          return { ...body, rev }
        })
        recorder.forget(tenant)
        return settings
      },
    }),
  ]
}

function toKeyView(row: ModelKeyRow): ModelKeyView {
  const { tenant: _tenant, hash: _hash, fence: _fence, ...shown } = row
  return {
    ...shown,
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    revokedAt: row.revokedAt?.toISOString() ?? null,
  }
}

function toCallView({ tenant: _tenant, ...call }: ModelCall): ModelCallView {
  return { ...call, startedAt: call.startedAt.toISOString(), endedAt: call.endedAt.toISOString() }
}
