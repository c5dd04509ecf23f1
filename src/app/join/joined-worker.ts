import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isAppError } from '../../foundation/kernel/errors.ts'
import { armFailpoints } from '../../foundation/kernel/failpoints.ts'
import { asId, type RunnerId, type TenantId } from '../../foundation/kernel/ids.ts'
import type { LoadedConfig } from '../../foundation/platform/config/load-config.ts'
import type { PoolConfig } from '../../foundation/platform/config/pools.ts'
import { remoteRunnerErrors } from '../../orchestration/remote-runners/remote-runners-errors.ts'
import { agreeOn, runnerContract } from '../../orchestration/remote-runners/runner-versions-contract.ts'
import { configuredGit } from '../leftovers.ts'
import { lockDataFolder } from '../prepare-data-folder.ts'
import { startRunner } from '../runner.ts'
import type { HostedAgents, RunnerHome } from '../runner-home.ts'
import type { Worker } from '../work.ts'
import { poolsWithSlots } from '../worker-pools.ts'
import { joinErrors } from './join-errors.ts'
import { createJoinedClock } from './joined-clock.ts'
import { createJoinedExchange } from './joined-exchange.ts'
import { createJoinedAsk, JoinedGrants } from './joined-grants.ts'
import { JoinedRepositories } from './joined-repositories.ts'
import { createJoinedServices } from './joined-services.ts'
import { createJoinedArtifacts, createJoinedLogs, createJoinedToolCalls } from './joined-sinks.ts'
import type { RunnerServer } from './runner-server.ts'

export interface JoinedWorkerOptions {
  readonly server: RunnerServer
  /** Tasks of each pool at a time; null: as the configuration says. */
  readonly slots: number | null
  /** Told of errors in the background. */
  readonly onError: (error: unknown) => void
}

const drainPollMs = 500

/** Agents of these kinds keep something at the server while they work: what the contract has from version 2 on. */
const keepers = ['http', 'llm']

/** The version that both know. A server that is too old forgets the runner again. Errors: `joined-server-too-old`. */
async function agreed(
  server: RunnerServer,
  runner: string,
  theirs: number,
  pools: readonly PoolConfig[],
): Promise<number> {
  const agreement = agreeOn(runnerContract, theirs)
  const keeper = pools.find(({ driver }) => driver !== null && keepers.includes(driver.kind))
  if ('contract' in agreement && (agreement.contract > 1 || keeper === undefined)) return agreement.contract
  await server.remove(runner)
  if ('older' in agreement && agreement.older === 'runner')
    throw remoteRunnerErrors['runner-too-old'](`it knows version ${runnerContract}, the server ${theirs}`)
  const why = 'older' in agreement ? '' : `; agents of the pool ${keeper?.name} need more`
  throw joinErrors['joined-server-too-old'](
    `it knows version ${theirs} of the contract, this runner ${runnerContract}${why}`,
  )
}

/**
 * Starts a runner that knows its servers by their addresses and a key alone: it opens no database, sees nothing but the work
 * it is given, brings repositories over, and their commits back. Branches are moved where the repository is, so that it does
 * no `merge` steps. Errors: `data-folder-locked`, those of the servers.
 */
export async function startJoinedWorker(given: LoadedConfig, options: JoinedWorkerOptions): Promise<Worker> {
  const { server, slots, onError } = options
  const folder = join(given.config.dataFolder, 'work')
  const pools = poolsWithSlots(given.config.pools, slots)
  const loaded = { ...given, config: { ...given.config, dataFolder: folder, pools } }
  if (loaded.config.failpoints !== null) armFailpoints(loaded.config.failpoints)
  const lock = await lockDataFolder(folder)
  const forgotten = new AbortController()
  try {
    const clock = createJoinedClock()
    let known: { readonly id: RunnerId; readonly tenant: TenantId } | null = null
    const runnerId = () => known!.id
    const git = configuredGit(loaded)
    const repositories = new JoinedRepositories({
      ...{ git, server, runner: runnerId },
      folder: join(folder, 'copies'),
    })
    const grants = new JoinedGrants({ server, runner: runnerId, repositories })
    let hosted: HostedAgents | undefined
    let contract = runnerContract
    const announce: RunnerHome['announce'] = async (agentsOf, _pools, offer) => {
      // The server names the runner, and its agents after it.
      const agents = agentsOf('').map(({ tenant: _, agentId, ...agent }) => ({ ...agent, name: agentId.slice(1) }))
      const sent = clock.monotonic()
      const told = await server.register(hostname(), process.pid, agents, offer)
      const { runner, tenant, now } = told
      contract = await agreed(server, runner, told.contract ?? 1, pools)
      clock.learn(new Date(now), sent, clock.monotonic())
      known = { id: asId<RunnerId>(runner), tenant: asId<TenantId>(tenant) }
      return known.id
    }
    const home: RunnerHome = {
      get tenant() {
        return known?.tenant ?? asId<TenantId>('default')
      },
      clock,
      announce,
      port: createJoinedExchange({
        ...{ server, clock, onError },
        tenantOf: () => known!.tenant,
        pathOf: (tenant, path) => repositories.pathOf(tenant, path),
        hosted: () => hosted,
        undelivered: (fence) => grants.undelivered(fence),
        onForgotten: (error) => {
          if (isAppError(error, 'runner-not-found')) forgotten.abort(error)
        },
      }),
      ask: createJoinedAsk(server, runnerId),
      keepToolCalls: createJoinedToolCalls(server, runnerId),
      isQuiet: () => true,
      host(agents) {
        hosted = agents
      },
      grantFor: ({ models }) => grants.grantFor(models),
      createMerger: () => null,
      giveUp: async (ids) => {
        for (const id of ids) await server.remove(id).catch(onError)
      },
    }
    const runner = await startRunner({
      ...{ loaded, home, git, onError },
      services: createJoinedServices({ loaded, server, runner: runnerId, clock, contract: () => contract, onError }),
      logs: createJoinedLogs(server, runnerId),
      artifacts: createJoinedArtifacts(server, runnerId, (taskId) => grants.fenceOf(taskId)),
      ...(slots === null ? {} : { mostStarted: slots }),
    })
    return {
      id: runner.id,
      folder,
      pools,
      lost: AbortSignal.any([lock.lost, forgotten.signal]),
      async drain(signal, onLeft) {
        for (let told = -1; !signal.aborted; ) {
          const left = await server.drain(runner.id).catch((error: unknown) => {
            onError(error)
            return null
          })
          if (left === 0) break
          if (left !== null && left !== told) onLeft(left)
          told = left ?? told
          await delay(drainPollMs, undefined, { signal }).catch(() => {})
        }
        await runner.drain(signal)
      },
      async close() {
        await runner.close()
        await lock.release()
      },
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}
