import { standingOf } from '../enterprise/tenants/index.ts'
import {
  CallRecorder,
  ModelCatalog,
  ModelGateway,
  ModelKeys,
  modelCallRoutes,
  modelErrors,
  modelRoutes,
  startModelUpkeep,
} from '../external-api/models/index.ts'
import { asId, type TenantId } from '../foundation/kernel/ids.ts'
import { unlessAborted } from '../foundation/kernel/unless-aborted.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import type { Authenticate } from '../foundation/platform/http/bearer-token.ts'
import type { Route } from '../foundation/platform/http/route.ts'
import type { Loop } from '../foundation/runtime/loop.ts'
import { readBudget } from '../orchestration/budgets/budgets-view.ts'
import { costAt } from '../orchestration/budgets/prices/price-table.ts'
import { ensureAccounts } from '../orchestration/quotas/quotas-store.ts'
import type { AttemptGrant } from '../orchestration/runners/hosted-agent.ts'
import { leaseStanding } from '../orchestration/runs/lease-standing.ts'
import { findRun, requireRun } from '../orchestration/runs/runs-store.ts'
import type { Spending } from './spending.ts'

export interface OpenModelsOptions {
  readonly loaded: LoadedConfig
  readonly database: Database
  readonly spending: Pick<Spending, 'spender' | 'quotas' | 'prices' | 'drawForCalls'>
  readonly onCommit: () => void
  readonly onError: (error: unknown) => void
  readonly onWarning: (fields: object, message: string) => void
}

/** The model gateway and the keys that call it. */
export interface Models {
  readonly routes: readonly Route[]
  readonly authenticate: Authenticate
  /** Starts what forgets; the caller stops it. */
  start(): Loop
  close(): Promise<void>
}

/** The accounts of the configuration belong to whoever runs the platform. */
const home = asId<TenantId>('default')

export async function openModels(options: OpenModelsOptions): Promise<Models> {
  const { loaded, database, spending, onCommit, onError, onWarning } = options
  const { models: config } = loaded.config
  const { spender, quotas, prices } = spending
  const priceOf = prices.priceOf.bind(prices)
  await prepareAccounts(loaded, database)
  const subscribed = new Map(config.accounts.map(({ name, subscription }) => [name, subscription]))
  const subscriptions = {
    subscriptionOf: (account: string) => subscribed.get(account) ?? null,
    draw: spending.drawForCalls,
  }
  const recorder = new CallRecorder({ database, subscriptions, onCommit, onError })
  const keys = createModelKeys(database)
  const catalog = new ModelCatalog(config)
  const gateway = new ModelGateway({
    ...{ database, config, catalog, spender, quotas, accountsOf: home, priceOf, costAt, recorder, onError, onWarning },
    leftOf: async (tenant, id) => {
      const budget = await database.forTenant(tenant).read((tx) => readBudget(tx, tenant, id))
      if (budget === null || budget.hardLimit === null) return null
      return { unit: budget.unit, left: budget.hardLimit - budget.spent }
    },
    readSecret: async (name) => (await loaded.secrets.read(name)).reveal(),
  })
  return {
    routes: [
      ...modelRoutes({ database, catalog, keys, recorder, priceOf, requireRun, onCommit }),
      ...modelCallRoutes(gateway, keys, catalog),
    ],
    authenticate: keys.authenticate,
    start: () => startModelUpkeep({ database, onError }),
    async close() {
      await gateway.close()
      keys[Symbol.dispose]()
    },
  }
}

function createModelKeys(database: Database): ModelKeys {
  return new ModelKeys({
    database,
    leaseOf: leaseStanding,
    runOf: async (tx, tenant, runId) => {
      const run = await findRun(tx, tenant, runId)
      const team = run?.labels.team
      return run === null
        ? null
        : { workflow: run.workflow, team: typeof team === 'string' && team !== '' ? team : null }
    },
    isTenantOpen: async (tx, tenant) => {
      const { tenantState } = await standingOf(tx, tenant, null)
      return tenantState === 'suspended' ? 'suspended' : tenantState === 'active'
    },
  })
}

/** Each account has one limiter for the fleet; what the configuration says of its limits goes before what was learned. */
async function prepareAccounts({ config }: LoadedConfig, database: Database): Promise<void> {
  const { accounts } = config.models
  if (accounts.length === 0) return
  const rows = accounts.map(({ name, provider, requestsPerMinute, tokensPerMinute, concurrent }) => ({
    ...{ id: name, provider, settings: { requestsPerMinute, tokensPerMinute, concurrent } },
  }))
  await database.forTenant(home).write((tx) => ensureAccounts(tx, home, rows, database.clock.now()))
}

/** How long a key of an attempt lives, if its lease does: longer than most work takes. */
const keySeconds = 86_400

/**
 * Gives attempts a key of their own for the gateway, by the variables that the official clients read. The key ends with the
 * lease. `urlOf`: where the gateway is reached from here; null: nobody knows.
 */
export function createModelAccess(database: Database, urlOf: () => Promise<string | null>) {
  const keys = createModelKeys(database)
  const create = (tenant: TenantId, taskId: string, agentId: string, models: readonly string[]) => {
    const wish = { name: `attempt of ${taskId}`, task: taskId, agent: agentId, seconds: keySeconds }
    return keys.create(tenant, agentId, { ...wish, ...(models.length === 0 ? {} : { models: [...models] }) })
  }
  return {
    /** For a runner elsewhere, which knows itself how it reaches the gateway. */
    keyFor: async (tenant: TenantId, taskId: string, agentId: string, models: readonly string[]): Promise<string> =>
      (await create(tenant, taskId, agentId, models)).key,
    grantFor: (models: readonly string[]): AttemptGrant => {
      return async ({ tenant, taskId, agentId }, signal) => {
        const url = await unlessAborted(urlOf(), signal)
        if (url === null) throw modelErrors['models-unreachable']('nobody says where the model gateway is')
        const { key, row } = await create(tenant, taskId, agentId, models)
        return {
          env: modelVariables(url, key),
          masked: [key],
          end: async () => void (await keys.revoke(tenant, row.id)),
        }
      }
    },
    close: () => keys[Symbol.dispose](),
  }
}

/** By which the official clients find the gateway. */
export function modelVariables(url: string, key: string): Readonly<Record<string, string>> {
  return {
    ...{ OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: key },
    ...{ ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: key },
  }
}
