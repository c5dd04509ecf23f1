import { join } from 'node:path'
import { type AgentId, type IdSource, type RunnerId, systemIds } from '../foundation/kernel/ids.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import { localPool, type PoolConfig } from '../foundation/platform/config/pools.ts'
import type { Git } from '../foundation/platform/git/index.ts'
import {
  detectConfinement,
  hostEnvironment,
  Supervisor,
  sweepLeftovers,
} from '../foundation/platform/processes/index.ts'
import { markerVariable } from '../foundation/platform/processes/process-table.ts'
import type { PushPort } from '../orchestration/agents/a2a/push-port.ts'
import type { AgentHost } from '../orchestration/agents/agents-host.ts'
import type { AgentTemplate } from '../orchestration/agents/pool-hosts-store.ts'
import { registrationLabels } from '../orchestration/coordinator/agent-profile.ts'
import { createGateWorker } from '../orchestration/gates/gate-worker.ts'
import { runChecks } from '../orchestration/gates/run-checks.ts'
import { HostSampler } from '../orchestration/monitor/host-figures.ts'
import { tellLoad } from '../orchestration/monitor/tell-load.ts'
import type { ArtifactSink } from '../orchestration/runners/artifact-sink.ts'
import type { AgentRegistration } from '../orchestration/runners/exchange-contract.ts'
import type { HostedAgent } from '../orchestration/runners/hosted-agent.ts'
import type { LogSink } from '../orchestration/runners/log-sink.ts'
import { Runner } from '../orchestration/runners/runner.ts'
import { ToolCallNotes } from '../orchestration/tool-calls/tool-call-notes.ts'
import { Workspaces } from '../orchestration/workspaces/index.ts'
import { createPoolAdapter } from './agent-adapters.ts'
import { createAgentHost } from './agent-host.ts'
import { openAgentPlaces, sweepPlaces } from './agent-places.ts'
import { dataLayoutOf } from './data-layout.ts'
import type { AgentServices } from './own-agents.ts'
import { packageFolder } from './package-info.ts'
import { type DatabaseHomeOptions, databaseHome, type RunnerHome } from './runner-home.ts'

export interface RunnerSettings {
  readonly loaded: LoadedConfig
  readonly git: Git
  readonly logs: LogSink
  readonly artifacts: ArtifactSink
  readonly services: AgentServices
  readonly ids?: IdSource
  /** Where remote agents may tell of news. Default: they are asked. */
  readonly push?: PushPort
  /** Further agents started here at a time, at most. Default 256. */
  readonly mostStarted?: number
  readonly onError: (error: unknown) => void
}

export type LocalRunnerOptions = RunnerSettings & DatabaseHomeOptions

/** A runner in this process, with the agents of the configured pools. */
export interface LocalRunner {
  readonly id: RunnerId
  /** All agents that live here now, by id. */
  agents(): readonly AgentId[]
  /** Starts and stops further agents of its pools. */
  readonly host: AgentHost
  /** Finishes what is under way and takes nothing new, until `signal` aborts. */
  drain(signal: AbortSignal): Promise<void>
  /** Ends what is left. Its leases pass to whoever comes next. */
  close(): Promise<void>
}

const busyPollMs = 1_000
/** Agents started in one process at a time, beside those it begins with. */
const mostStarted = 256
/** More than the time between two signs of life of a runner, so that each look is one. */
const idlePollMs = 2_500

/** How work can call the program it is run by: its Node and its folder, whatever the PATH says. */
const ourselves = { LEANVIBE_NODE: process.execPath, LEANVIBE_PACKAGE: packageFolder }

/** A runner that works for the coordinator and the database of this process. */
export function startLocalRunner(options: LocalRunnerOptions): Promise<LocalRunner> {
  return startRunner({ ...options, home: databaseHome(options) })
}

/** Cleans up what a former process left behind, announces the agents and starts to take work. */
export async function startRunner(options: RunnerSettings & { readonly home: RunnerHome }): Promise<LocalRunner> {
  const { loaded, home, git, logs, artifacts, onError } = options
  const { clock } = home
  const { config, secrets } = loaded
  const processFolder = join(config.dataFolder, 'processes')
  const folder = join(config.dataFolder, 'workspaces')
  // We hold the lock of the data folder, and nobody has made a workspace yet.
  const { repositories: repositoriesFile } = dataLayoutOf(config.dataFolder)
  const workspaces = new Workspaces({ folder, git, repositoriesFile, clock, alone: true })
  await sweepLeftovers(processFolder)
  await workspaces.cleanLeftovers()
  const unseen = (await sweepPlaces(loaded, true)).unknown
  for (const reason of unseen) onError(new Error(`what is left in containers or clusters is not known: ${reason}`))

  const supervisor = new Supervisor({
    folder: processFolder,
    failpoints: config.failpoints ?? '',
    ...parentMarkerOf(loaded),
  })
  const toolCalls = new ToolCallNotes({ keep: home.keepToolCalls, clock, onError })
  const checks = { git, artifacts }
  const merge = home.createMerger(git, (wanted, place) => runChecks(wanted, place, checks), config.merges.batch)
  const workers = { gate: createGateWorker(checks), ...(merge === null ? {} : { merge }) }
  const confinement = config.pools.some(({ confine }) => confine.mode !== 'off')
    ? await detectConfinement(loaded.env.path, undefined, [loaded.env.settings.home ?? config.dataFolder])
    : { bubblewrap: null, unshare: null, problem: null }
  const places = new Map(config.pools.map((pool) => [pool.name, openAgentPlaces(pool, loaded, supervisor)]))
  const templates = new Map(config.pools.map((pool) => [pool.name, templateOf(pool, supervisor)]))
  const agentsOf = (runner: string) =>
    config.pools.flatMap((pool) =>
      Array.from({ length: pool.agents }, (_, n) => templates.get(pool.name)!(`${runner}.${pool.name}.${n + 1}`)),
    )
  const offer = {
    templates: config.pools.map(({ name }) => templateOnly(templates.get(name)!('').registration)),
    most: agentsOf('').length + (options.mostStarted ?? mostStarted),
  }
  const id = await home.announce((runner) => agentsOf(runner).map((agent) => agent.registration), config.pools, offer)
  const agents = agentsOf(id)
  const port = tellLoad(home.port, new HostSampler(config.dataFolder))
  const launch = (runnerId: RunnerId, hosted: readonly HostedAgent[], outbox: string | null) => {
    const runner = new Runner({
      id: runnerId,
      port,
      agents: hosted,
      workspaces,
      secrets: { read: async (name, signal) => (await secrets.read(name, signal)).reveal() },
      logs,
      artifacts,
      clock,
      outbox,
      logBytes: config.limits.logBytes,
      get pollMs() {
        return home.isQuiet() ? idlePollMs : busyPollMs
      },
      onError,
    })
    runner.start()
    return runner
  }
  const runner = launch(id, agents, join(config.dataFolder, 'outbox.ndjson'))
  home.host?.({
    ids: () => runner.agents,
    start(agentId, pool) {
      const template = templates.get(pool)
      if (template !== undefined) runner.add(template(agentId))
      return template !== undefined
    },
    stop: (agentId) => void runner.remove(agentId),
  })
  const host = createAgentHost({
    tenant: home.tenant,
    ids: options.ids ?? systemIds,
    templates,
    launch: (runnerId, agent) => launch(runnerId, [agent], null),
    giveUp: home.giveUp,
    most: options.mostStarted ?? mostStarted,
  })
  return {
    id,
    agents: () => [...(runner.agents as readonly AgentId[]), ...host.running()],
    host,
    drain: async (signal) => {
      await Promise.all([runner.drain(signal), host.drain(signal)])
    },
    async close() {
      await runner.close()
      await host.close()
      await Promise.all([...places.values()].map((place) => place?.close()))
      await supervisor.close()
      await home.giveUp([id])
    },
  }

  /** Makes agents of a pool, all alike but for their names. */
  function templateOf(pool: PoolConfig, processes: Supervisor): (agentId: string) => HostedAgent {
    const adapter = createPoolAdapter(pool, {
      ...{ loaded, supervisor: processes, artifacts, host: confinement, workers },
      ask: home.ask,
      toolCalls: toolCalls.open,
      services: options.services,
      place: places.get(pool.name)?.open ?? null,
      ...(options.push === undefined ? {} : { push: options.push }),
    })
    const open = hostEnvironment(loaded.config.env, (name) => loaded.env.variable(name))
    const own = Object.entries(loaded.secrets.environmentOf(pool.env)).map(
      ([name, secret]) => [name, secret.reveal()] as const,
    )
    const grant = home.grantFor(pool)
    return (agentId) => ({
      registration: {
        tenant: home.tenant,
        agentId: agentId as HostedAgent['registration']['agentId'],
        pool: pool.name,
        kind: pool.kind,
        capabilities: pool.name === localPool && merge !== null ? [...pool.capabilities, 'merge'] : pool.capabilities,
        labels: registrationLabels(pool, config.resources, adapter.enforcement),
        slots: pool.slots,
        weight: pool.weight,
      },
      adapter,
      ...(grant === undefined ? {} : { grant }),
      promptTimeoutMs: pool.timeoutMs,
      env: { ...open, ...Object.fromEntries(own), ...ourselves },
      masked: own.map(([, value]) => value),
    })
  }
}

function templateOnly({ tenant: _, agentId: _id, ...template }: AgentRegistration): AgentTemplate {
  return template
}

/** When we are ourselves the work of an agent, what we start belongs to that attempt, too. */
function parentMarkerOf(loaded: LoadedConfig): { readonly parentMarker?: string } {
  const parentMarker = loaded.env.variable(markerVariable)
  return parentMarker === undefined ? {} : { parentMarker }
}
