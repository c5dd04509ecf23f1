import { resolve } from 'node:path'
import { unlessAborted } from '../foundation/kernel/unless-aborted.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { OwnAgentSettings } from '../foundation/platform/config/own-agents.ts'
import type { PoolConfig } from '../foundation/platform/config/pools.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import type { Route } from '../foundation/platform/http/route.ts'
import { createFunctionDriver } from '../orchestration/agents/function/function-driver.ts'
import { createHttpDriver } from '../orchestration/agents/http/http-driver.ts'
import { httpAgentErrors } from '../orchestration/agents/http/http-errors.ts'
import { ServiceCalls } from '../orchestration/agents/http/service-calls.ts'
import { serviceCallRoutes } from '../orchestration/agents/http/service-calls-routes.ts'
import { kindsOfAgents } from '../orchestration/agents/kinds-of-agents.ts'
import { createLlmDriver, type LlmDriverOptions } from '../orchestration/agents/llm/llm-driver.ts'
import type { AgentDriver } from '../orchestration/agents/sessions/agent-session.ts'
import { PriceTable } from '../orchestration/budgets/prices/price-table.ts'
import {
  type ContextSink,
  createContextGrowth,
  createContextSink,
  type PoolOfAgent,
} from '../orchestration/context-growth/context-growth.ts'
import type { OpenContextMeter } from '../orchestration/context-growth/context-meter.ts'
import { leaseStanding } from '../orchestration/runs/lease-standing.ts'
import { createRuleLanguage } from './rule-language.ts'

export interface AgentServicesOptions {
  readonly loaded: LoadedConfig
  readonly database: Database
  /** Where others reach this server; null: nobody knows. */
  readonly serverUrl: () => Promise<string | null>
  readonly onCommit?: () => void
  readonly onError: (error: unknown) => void
}

/** What agents of several kinds need of the platform. */
export interface AgentServices {
  readonly meter: OpenContextMeter
  readonly calls: Pick<ServiceCalls, 'open'>
  readonly costOf: LlmDriverOptions['costOf']
  readonly serverUrl: (signal: AbortSignal) => Promise<string | null>
}

/** The same where there is a database. */
export interface ServerAgentServices extends AgentServices {
  readonly contexts: ContextSink
  readonly calls: ServiceCalls
  readonly routes: readonly Route[]
  close(): void
}

export function createAgentServices({
  loaded,
  database,
  serverUrl,
  onCommit,
  onError,
}: AgentServicesOptions): ServerAgentServices {
  const prices = new PriceTable(loaded.config.prices)
  const calls = new ServiceCalls({ database, leaseOf: leaseStanding })
  const poolOf: PoolOfAgent = async (tx, tenant, id) => (await kindsOfAgents(tx, tenant, [id])).get(id)?.pool ?? null
  const contexts = createContextSink(database, poolOf, onCommit)
  return {
    contexts,
    meter: createContextGrowth({ sink: contexts, clock: database.clock, onError }),
    calls,
    costOf: (model, use) => prices.costOf(model, use, database.clock.now()),
    serverUrl: (signal) => unlessAborted(serverUrl(), signal),
    routes: serviceCallRoutes(calls),
    close: () => calls[Symbol.dispose](),
  }
}

export interface OwnDriverOptions {
  readonly loaded: LoadedConfig
  readonly services: AgentServices
  readonly processes: LlmDriverOptions['processes']
  readonly openTools: () => NonNullable<LlmDriverOptions['tools']>
}

/** The expressions of workflows, for the settings of services: the same bounds, other names. */
const language = createRuleLanguage((source, reason) =>
  httpAgentErrors['agent-expression'](`${source.slice(0, 200)}: ${reason}`),
)

/** Drives the agents that are no program of somebody else. */
export function createOwnDriver(
  { name, rules }: Pick<PoolConfig, 'name' | 'rules'>,
  settings: OwnAgentSettings,
  { loaded, services, processes, openTools }: OwnDriverOptions,
): AgentDriver {
  switch (settings.kind) {
    case 'http': {
      const readSecret = async (secret: string, signal: AbortSignal) =>
        (await loaded.secrets.read(secret, signal)).reveal()
      const { calls, serverUrl } = services
      return createHttpDriver({ pool: name, settings, rules, language, readSecret, calls, serverUrl })
    }
    case 'function':
      return createFunctionDriver({ settings, rules, module: resolve(loaded.config.project.root, settings.module) })
    case 'llm': {
      const { meter, costOf } = services
      return createLlmDriver({ settings, rules, processes, costOf, meter, tools: openTools() })
    }
  }
}
