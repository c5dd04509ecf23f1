import { hostname } from 'node:os'
import { join } from 'node:path'
import { modelErrors } from '../external-api/models/index.ts'
import { type AgentId, type IdSource, type RunnerId, systemIds, type TenantId } from '../foundation/kernel/ids.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import { localPool, type PoolConfig } from '../foundation/platform/config/pools.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import type { Git } from '../foundation/platform/git/index.ts'
import {
  detectConfinement,
  hostEnvironment,
  Supervisor,
  sweepLeftovers,
} from '../foundation/platform/processes/index.ts'
import { markerVariable } from '../foundation/platform/processes/process-table.ts'
import { isQuiet } from '../foundation/runtime/loop.ts'
import type { PushPort } from '../orchestration/agents/a2a/push-port.ts'
import type { AgentHost } from '../orchestration/agents/agents-host.ts'
import { registrationLabels } from '../orchestration/coordinator/agent-profile.ts'
import { createGateWorker } from '../orchestration/gates/gate-worker.ts'
import { runChecks } from '../orchestration/gates/run-checks.ts'
import { createMergeWorker, type MergeWorkerOptions } from '../orchestration/merges/merge-worker.ts'
import { MergesService } from '../orchestration/merges/merges-service.ts'
import { HostSampler } from '../orchestration/monitor/host-figures.ts'
import { tellLoad } from '../orchestration/monitor/tell-load.ts'
import type { ArtifactSink } from '../orchestration/runners/artifact-sink.ts'
import type { AttemptGrant, HostedAgent } from '../orchestration/runners/hosted-agent.ts'
import type { LogSink } from '../orchestration/runners/log-sink.ts'
import { Runner } from '../orchestration/runners/runner.ts'
import { Workspaces } from '../orchestration/workspaces/index.ts'
import { createPoolAdapter } from './agent-adapters.ts'
import { openAgentPlaces, sweepPlaces } from './agent-places.ts'
import { createAgentHost } from './agent-host.ts'
import { dataLayoutOf } from './data-layout.ts'
import type { Orchestration } from './orchestration.ts'
import type { AgentServices } from './own-agents.ts'
import { packageFolder } from './package-info.ts'

export interface LocalRunnerOptions {
  readonly loaded: LoadedConfig
  readonly database: Database
  readonly orchestration: Orchestration
  readonly git: Git
  readonly logs: LogSink
  readonly artifacts: ArtifactSink
  readonly tenant: TenantId
  readonly services: AgentServices
  readonly ids?: IdSource
  /** True where the pools belong to the servers that it joins: what this configuration leaves open stays as it is. */
  readonly shared?: boolean
  /** Lets the attempts of pools that say so call models. Default: their attempts are refused. */
  readonly modelGrant?: (models: readonly string[]) => AttemptGrant
  /** Where remote agents may tell of news. Default: they are asked. */
  readonly push?: PushPort
  /** Further agents started here at a time, at most. Default 256. */
  readonly mostStarted?: number
  readonly onError: (error: unknown) => void
}

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
/** More than the time between two signs of life of a runner, so that each look is one. */
const idlePollMs = 2_500

/** How work can call the program it is run by: its Node and its folder, whatever the PATH says. */
const ourselves = { LEANVIBE_NODE: process.execPath, LEANVIBE_PACKAGE: packageFolder }

/** Cleans up what a former process left behind, announces the agents and starts to take work. */
export async function startLocalRunner(options: LocalRunnerOptions): Promise<LocalRunner> {
  const { loaded, database, orchestration, git, logs, artifacts, tenant, onError } = options
  const { config, secrets } = loaded
  const id = (options.ids ?? systemIds).next<RunnerId>('rnr')
  const processFolder = join(config.dataFolder, 'processes')
  const folder = join(config.dataFolder, 'workspaces')
  // We hold the lock of the data folder, and nobody has made a workspace yet.
  const { repositories: repositoriesFile } = dataLayoutOf(config.dataFolder)
  const workspaces = new Workspaces({ folder, git, repositoriesFile, clock: database.clock, alone: true })
  await sweepLeftovers(processFolder)
  await workspaces.cleanLeftovers()
  const unseen = (await sweepPlaces(loaded, true)).unknown
  for (const reason of unseen) onError(new Error(`what is left in containers or clusters is not known: ${reason}`))

  const supervisor = new Supervisor({
    folder: processFolder,
    failpoints: config.failpoints ?? '',
    ...parentMarkerOf(loaded),
  })
  const checks = { git, artifacts }
  const journal = new MergesService(database)
  const runMergeChecks: MergeWorkerOptions['runChecks'] = (wanted, place) => runChecks(wanted, place, checks)
  const workers = {
    gate: createGateWorker(checks),
    merge: createMergeWorker({ git, journal, runChecks: runMergeChecks, clock: database.clock }),
  }
  const confinement = config.pools.some(({ confine }) => confine.mode !== 'off')
    ? await detectConfinement(loaded.env.path)
    : { bubblewrap: null, unshare: null, problem: null }
  const places = new Map(config.pools.map((pool) => [pool.name, openAgentPlaces(pool, loaded, supervisor)]))
  const templates = new Map(config.pools.map((pool) => [pool.name, templateOf(pool, supervisor)]))
  const agents = config.pools.flatMap((pool) =>
    Array.from({ length: pool.agents }, (_, n) => templates.get(pool.name)!(`${id}.${pool.name}.${n + 1}`)),
  )
  await database.asSystem('runner').write(async (tx) => {
    const registrations = agents.map((agent) => agent.registration)
    const registration = { runnerId: id, host: hostname(), pid: process.pid, agents: registrations }
    await orchestration.runners.register(tx, registration, database.clock.now())
    const pools = config.pools
      .filter(({ strategy }) => strategy !== null || options.shared !== true)
      .map(({ name, strategy }) => ({ tenant, name, strategy }))
    await orchestration.runners.configurePools(tx, pools)
  })
  const port = tellLoad(orchestration.runnerPort, new HostSampler(config.dataFolder))
  const launch = (runnerId: RunnerId, hosted: readonly HostedAgent[], outbox: string | null) => {
    const runner = new Runner({
      id: runnerId,
      port,
      agents: hosted,
      workspaces,
      secrets: { read: async (name, signal) => (await secrets.read(name, signal)).reveal() },
      logs,
      artifacts,
      clock: database.clock,
      outbox,
      logBytes: config.limits.logBytes,
      // While nothing happens, a look is only to say that it lives.
      get pollMs() {
        return isQuiet(database.pulse) ? idlePollMs : busyPollMs
      },
      onError,
    })
    runner.start()
    return runner
  }
  const runner = launch(id, agents, join(config.dataFolder, 'outbox.ndjson'))
  const host = createAgentHost({
    tenant,
    ids: options.ids ?? systemIds,
    templates,
    launch: (runnerId, agent) => launch(runnerId, [agent], null),
    giveUp: (runnerIds) => orchestration.reaper.giveUp(runnerIds),
    ...(options.mostStarted === undefined ? {} : { most: options.mostStarted }),
  })
  return {
    id,
    agents: () => [...agents.map((agent) => agent.registration.agentId), ...host.running()],
    host,
    drain: async (signal) => {
      await Promise.all([runner.drain(signal), host.drain(signal)])
    },
    async close() {
      await runner.close()
      await host.close()
      await Promise.all([...places.values()].map((place) => place?.close()))
      await supervisor.close()
      await orchestration.reaper.giveUp([id])
    },
  }

  /** Makes agents of a pool, all alike but for their names. */
  function templateOf(pool: PoolConfig, processes: Supervisor): (agentId: string) => HostedAgent {
    const adapter = createPoolAdapter(pool, {
      ...{ loaded, supervisor: processes, artifacts, host: confinement, workers },
      ask: orchestration.questions,
      services: options.services,
      place: places.get(pool.name)?.open ?? null,
      ...(options.push === undefined ? {} : { push: options.push }),
    })
    const open = hostEnvironment(loaded.config.env, (name) => loaded.env.variable(name))
    const own = Object.entries(loaded.secrets.environmentOf(pool.env)).map(
      ([name, secret]) => [name, secret.reveal()] as const,
    )
    return (agentId) => ({
      registration: {
        tenant,
        agentId: agentId as HostedAgent['registration']['agentId'],
        pool: pool.name,
        kind: pool.kind,
        capabilities: pool.name === localPool ? [...pool.capabilities, 'merge'] : pool.capabilities,
        labels: registrationLabels(pool, config.resources),
        slots: pool.slots,
        weight: pool.weight,
      },
      adapter,
      ...(pool.models === null ? {} : { grant: (options.modelGrant ?? noModels)(pool.models) }),
      promptTimeoutMs: pool.timeoutMs,
      env: { ...open, ...Object.fromEntries(own), ...ourselves },
      masked: own.map(([, value]) => value),
    })
  }
}

const noModels = (): AttemptGrant => async () => {
  throw modelErrors['models-unreachable']('runners of this kind have no way to the model gateway')
}

/** When we are ourselves the work of an agent, what we start belongs to that attempt, too. */
function parentMarkerOf(loaded: LoadedConfig): { readonly parentMarker?: string } {
  const parentMarker = loaded.env.variable(markerVariable)
  return parentMarker === undefined ? {} : { parentMarker }
}
