import { hostname } from 'node:os'
import { modelErrors } from '../external-api/models/index.ts'
import type { Clock } from '../foundation/kernel/clock.ts'
import { type IdSource, type RunnerId, systemIds, type TenantId } from '../foundation/kernel/ids.ts'
import type { PoolConfig } from '../foundation/platform/config/pools.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import type { Git } from '../foundation/platform/git/index.ts'
import { isQuiet } from '../foundation/runtime/loop.ts'
import type { AskPort } from '../orchestration/agents/ask-contract.ts'
import { type AgentTemplate, savePoolHosts } from '../orchestration/agents/pool-hosts-store.ts'
import type { TaskWorker } from '../orchestration/agents/task-worker.ts'
import type { runChecks } from '../orchestration/gates/run-checks.ts'
import { createMergeWorker } from '../orchestration/merges/merge-worker.ts'
import type { AgentRegistration, ExchangePort } from '../orchestration/runners/exchange-contract.ts'
import type { AttemptGrant } from '../orchestration/runners/hosted-agent.ts'
import type { KeepNotes } from '../orchestration/tool-calls/tool-call-notes.ts'
import { openMerges } from './merges.ts'
import type { Orchestration } from './orchestration.ts'

/** What can be started on a runner besides the agents that it begins with. */
export interface HostOffer {
  /** What agents are, one a pool. */
  readonly templates: readonly AgentTemplate[]
  /** Agents here at a time, at most. */
  readonly most: number
}

/** The agents of a runner, as whoever is told which there shall be changes them. */
export interface HostedAgents {
  ids(): readonly string[]
  /** False: there is no such pool here. */
  start(agentId: string, pool: string): boolean
  /** One that still works stays until it is asked again. */
  stop(agentId: string): void
}

/** What a runner works for: the coordinator of its own process and database, or servers that it has joined. */
export interface RunnerHome {
  readonly tenant: TenantId
  /** Database time. */
  readonly clock: Clock
  readonly port: ExchangePort
  readonly ask: AskPort
  /** Keeps what agents tell of their tool calls. */
  readonly keepToolCalls: KeepNotes
  /** While nothing happens, a look is only to say that it lives. */
  isQuiet(): boolean
  /** Announces the runner and its agents, whose ids follow from that of the runner. Returns the runner's. */
  announce(
    agentsOf: (runner: string) => readonly AgentRegistration[],
    pools: readonly PoolConfig[],
    offer: HostOffer,
  ): Promise<RunnerId>
  /** Lets the servers say which further agents start here and stop. Undefined: this process sees to it itself. */
  readonly host?: (agents: HostedAgents) => void
  /** What attempts of a pool are given; undefined: nothing. */
  grantFor(pool: PoolConfig): AttemptGrant | undefined
  /** Who merges; null: branches are moved where the repository is, and not here. */
  createMerger(
    git: Git,
    run: (...args: [Parameters<typeof runChecks>[0], Parameters<typeof runChecks>[1]]) => ReturnType<typeof runChecks>,
    /** How many merges are tested together at most. */
    batch: number,
  ): TaskWorker | null
  /** Takes runners that are gone for good off the list. */
  giveUp(runnerIds: readonly string[]): Promise<void>
}

export interface DatabaseHomeOptions {
  readonly database: Database
  readonly orchestration: Orchestration
  readonly tenant: TenantId
  readonly ids?: IdSource
  /** True where the pools belong to the servers that it joins: what this configuration leaves open stays as it is. */
  readonly shared?: boolean
  /** Lets the attempts of pools that say so call models. Default: their attempts are refused. */
  readonly modelGrant?: (models: readonly string[]) => AttemptGrant
}

/** The home of runners that open the database themselves. */
export function databaseHome(options: DatabaseHomeOptions): RunnerHome {
  const { database, orchestration, tenant, ids = systemIds } = options
  return {
    tenant,
    clock: database.clock,
    port: orchestration.runnerPort,
    ask: orchestration.questions,
    keepToolCalls: orchestration.keepToolCalls,
    isQuiet: () => isQuiet(database.pulse),
    async announce(agentsOf, pools, { templates, most }) {
      const runnerId = ids.next<RunnerId>('rnr')
      await database.asSystem('runner').write(async (tx) => {
        const registration = { runnerId, host: hostname(), pid: process.pid, agents: agentsOf(runnerId) }
        await orchestration.runners.register(tx, registration, database.clock.now())
        const hosts = templates.map(({ pool }) => ({ pool, template: null }))
        await savePoolHosts(tx, tenant, runnerId, hosts, most)
        const configured = pools
          .filter(({ strategy }) => strategy !== null || options.shared !== true)
          .map(({ name, strategy }) => ({ tenant, name, strategy }))
        await orchestration.runners.configurePools(tx, configured)
      })
      return runnerId
    },
    grantFor: ({ models }) => (models === null ? undefined : (options.modelGrant ?? noModels)(models)),
    createMerger: (git, run, batch) =>
      createMergeWorker({ git, journal: openMerges(database), runChecks: run, clock: database.clock, batch }),
    giveUp: (runnerIds) => orchestration.reaper.giveUp(runnerIds),
  }
}

const noModels = (): AttemptGrant => async () => {
  throw modelErrors['models-unreachable']('runners of this kind have no way to the model gateway')
}
