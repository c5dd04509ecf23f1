import { dirname, join, resolve } from 'node:path'
import { placeConfinement } from '../foundation/platform/config/agent-kinds.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import { localPool, type PoolConfig } from '../foundation/platform/config/pools.ts'
import { type HostConfinement, hostEnvironment, type Supervisor } from '../foundation/platform/processes/index.ts'
import { createA2aDriver } from '../orchestration/agents/a2a/a2a-driver.ts'
import type { PushPort } from '../orchestration/agents/a2a/push-port.ts'
import { createAcpDriver } from '../orchestration/agents/acp/acp-driver.ts'
import { createSessionMemory } from '../orchestration/agents/acp/acp-resume.ts'
import type { AgentAdapter } from '../orchestration/agents/agent-adapter.ts'
import type { AskPort } from '../orchestration/agents/ask-contract.ts'
import { type CommandAdapterOptions, createCommandAdapter } from '../orchestration/agents/command-adapter.ts'
import { createMcpDriver } from '../orchestration/agents/mcp/mcp-driver.ts'
import { openToolHub } from '../orchestration/agents/mcp/tool-hub.ts'
import type { OpenPlace, Place, ProcessStarter } from '../orchestration/agents/places/place.ts'
import { createPlacedAdapter } from '../orchestration/agents/places/placed-adapter.ts'
import type { AgentDriver } from '../orchestration/agents/sessions/agent-session.ts'
import { createSessionAdapter } from '../orchestration/agents/sessions/session-adapter.ts'
import { withTierModel } from '../orchestration/agents/tier-model.ts'
import type { ArtifactSink } from '../orchestration/runners/artifact-sink.ts'
import type { OpenToolJournal } from '../orchestration/tool-calls/tool-journal.ts'
import { enforcementOf } from './enforcement-of.ts'
import { type AgentServices, createOwnDriver } from './own-agents.ts'
import { packageFolder } from './package-info.ts'
import { remoteAgentGuard } from './remote-agents.ts'
import { serverSecretsOf } from './tool-servers.ts'

export interface AgentAdaptersOptions {
  readonly loaded: LoadedConfig
  readonly supervisor: Supervisor
  readonly artifacts: ArtifactSink
  /** What this host can keep processes from. */
  readonly host: HostConfinement
  readonly ask: AskPort
  /** Where tool calls of agents are told. Default: in their logs alone. */
  readonly toolCalls?: OpenToolJournal
  readonly services: AgentServices
  /** Where remote agents may tell of news. Default: they are asked. */
  readonly push?: PushPort
  /** Where the agents of the pool run. Default: here. */
  readonly place?: OpenPlace | null
  /** Who does the tasks that are part of the product, in the pool `local`. */
  readonly workers: NonNullable<CommandAdapterOptions['workers']>
}

/** What runs the work of a pool, by the kind of its agents. */
export function createPoolAdapter(pool: PoolConfig, options: AgentAdaptersOptions): AgentAdapter {
  const adapter = createPlacedOrPlain(pool, options)
  return withTierModel({ ...adapter, enforcement: enforcementOf(pool, options.host) }, pool.tiers)
}

/** What is inside a container or a pod knows no bounds of the host: it has its own. */
function createPlacedOrPlain(pool: PoolConfig, options: AgentAdaptersOptions): AgentAdapter {
  const { place: open } = options
  if (!open) return createPlainAdapter(pool, options)
  const inner = (place: Place) => createPlainAdapter(pool, { ...options, supervisor: place, host: noHost })
  return createPlacedAdapter({ kind: pool.kind, open, inner })
}

const noHost: HostConfinement = { bubblewrap: null, unshare: null, problem: null }

function createPlainAdapter(
  pool: PoolConfig,
  options: Omit<AgentAdaptersOptions, 'supervisor'> & { readonly supervisor: ProcessStarter },
): AgentAdapter {
  const { loaded, supervisor, artifacts, host, ask } = options
  const { config, env } = loaded
  const limits = { outputBytes: config.limits.outputBytes, artifactBytes: config.limits.artifactBytes }
  const placed = placeConfinement(pool.confine, (path) => resolve(config.project.root, path), env.homeFolder)
  // What work needs to call us back.
  const rules = { ...placed, read: [...placed.read, packageFolder, dirname(process.execPath)] }
  if (pool.driver === null) {
    const workers = pool.name === localPool ? options.workers : {}
    return createCommandAdapter({ supervisor, artifacts, agent: pool.agent, workers, limits, confine: { host, rules } })
  }
  const processes = { supervisor, host, rules }
  const secrets = serverSecretsOf(loaded)
  const { driver: settings } = pool
  const adapt = (driver: AgentDriver) =>
    createSessionAdapter(driver, {
      ...{ artifacts, ask, limits, toolCalls: options.toolCalls, asking: pool.rules.questions },
    })
  if (settings.kind === 'http' || settings.kind === 'function' || settings.kind === 'llm') {
    const { services } = options
    const general = hostEnvironment(config.env, (name) => env.variable(name))
    const openTools = () => openToolHub({ servers: pool.tools, rules: pool.rules, processes, secrets, env: general })
    return adapt(createOwnDriver(pool, settings, { loaded, services, processes, openTools }))
  }
  if (settings.kind === 'mcp') return adapt(createMcpDriver({ settings, rules: pool.rules, processes, secrets }))
  const memory = createSessionMemory(join(config.dataFolder, 'agent-sessions'))
  if (settings.kind === 'a2a') {
    const readSecret = async (name: string) => (await loaded.secrets.read(name)).reveal()
    const guard = remoteAgentGuard(loaded)
    return adapt(
      createA2aDriver({ settings, rules: pool.rules, guard, readSecret, memory, push: options.push ?? null }),
    )
  }
  const general = hostEnvironment(config.env, (name) => env.variable(name))
  const tools = openToolHub({ servers: pool.tools, rules: pool.rules, processes, secrets, env: general })
  return adapt(
    createAcpDriver({ settings, rules: pool.rules, processes, memory, tools, meter: options.services.meter }),
  )
}
