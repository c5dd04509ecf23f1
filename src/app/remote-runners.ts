import { systemIds, type TenantId } from '../foundation/kernel/ids.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import type { Git } from '../foundation/platform/git/index.ts'
import type { Route } from '../foundation/platform/http/route.ts'
import { agentsOfRunner } from '../orchestration/agents/agents-of-runner.ts'
import { drainAgents } from '../orchestration/agents/drain-agents.ts'
import { settleJoinedAgents } from '../orchestration/agents/joined-agents.ts'
import { dropPoolHosts, savePoolHosts } from '../orchestration/agents/pool-hosts-store.ts'
import { artifactFolder } from '../orchestration/artifacts/store-artifact.ts'
import type { OutputWatch } from '../orchestration/liveness/output-watch.ts'
import {
  allRemoteRunners,
  RemoteRunners,
  RunnerRepositories,
  type RunnerServices,
  RunnerUploads,
  remoteRunnerRoutes,
  runnerServiceRoutes,
} from '../orchestration/remote-runners/index.ts'
import { familyOfRun } from '../orchestration/runs/family-of-run.ts'
import { findLeases, leaseOfRunner } from '../orchestration/runs/leases-of-runner.ts'
import { packCommit, unpackCommit } from '../orchestration/workspaces/pack-commit.ts'
import type { Orchestration } from './orchestration.ts'
import type { Storage } from './storage.ts'

export interface RemoteRunnersParts {
  readonly routes: readonly Route[]
  close(): Promise<void>
}

/** What serves runners that join by the address of this server. */
export function createRemoteRunners({
  database,
  orchestration,
  git,
  storage,
  output,
  modelKey,
  services,
  maxArtifactBytes,
}: {
  readonly database: Database
  readonly orchestration: Orchestration
  readonly git: Git
  readonly storage: Storage
  readonly output: OutputWatch
  /** A key of the model gateway for a lease. */
  readonly modelKey: (tenant: TenantId, taskId: string, agentId: string, models: readonly string[]) => Promise<string>
  /** What agents of some kinds keep in the database while they work. */
  readonly services: RunnerServices
  readonly maxArtifactBytes: number
}): RemoteRunnersParts {
  const { runners: registry, reaper, runnerPort: port } = orchestration
  const runners = new RemoteRunners({
    database,
    ids: systemIds,
    port,
    logs: output.listenTo(storage.logs),
    keepToolCalls: orchestration.keepToolCalls,
    sources: {
      register: (tx, registration, now) => registry.register(tx, registration, now),
      findLeases,
      leaseOf: leaseOfRunner,
      agentsOf: agentsOfRunner,
      drain: drainAgents,
      giveUp: (ids) => reaper.giveUp(ids),
      offer: (tx, tenant, runnerId, templates, most) =>
        savePoolHosts(
          tx,
          tenant,
          runnerId,
          templates.map((template) => ({ pool: template.pool, template })),
          most,
        ),
      withdraw: dropPoolHosts,
      settleAgents: (tenant, runnerId, running) =>
        settleJoinedAgents({ database, onShards: orchestration.tickShards }, tenant, runnerId, running),
    },
  })
  const routes = remoteRunnerRoutes({
    runners,
    uploads: new RunnerUploads(storage.blobs, artifactFolder),
    repositories: new RunnerRepositories(git, { pack: packCommit, unpack: unpackCommit }, (tenant, run) =>
      database.forTenant(tenant).read((tx) => familyOfRun(tx, tenant, run)),
    ),
    maxArtifactBytes,
    modelKey: (tenant, { taskId, agentId }, models) => modelKey(tenant, taskId, agentId, models),
    questions: orchestration.questions,
  })
  return { routes: [...routes, ...runnerServiceRoutes(runners, services)], close: async () => runners.close() }
}

/**
 * What is due to runners when a server starts: those that joined by URL could not be heard while no server was there, and
 * with an embedded database all others that are still recorded are dead.
 */
export async function settleFormerRunners(database: Database, { runners, reaper }: Orchestration): Promise<void> {
  const system = database.asSystem('recovery')
  const { remote, active } = await system.read(async (tx) => ({
    remote: new Set(await allRemoteRunners(tx)),
    active: await runners.active(tx),
  }))
  if (remote.size > 0) await system.write((tx) => runners.grace(tx, [...remote], database.clock.now()))
  if (database.kind !== 'pglite') return
  await reaper.giveUp(active.map((runner) => runner.id).filter((id) => !remote.has(id)))
}
