import { join } from 'node:path'
import { armFailpoints } from '../foundation/kernel/failpoints.ts'
import { asId, type RunnerId, type TenantId } from '../foundation/kernel/ids.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { PoolConfig } from '../foundation/platform/config/pools.ts'
import { keepEventPartitions } from '../foundation/runtime/event-partitions.ts'
import type { Loop } from '../foundation/runtime/loop.ts'
import { startTicker } from '../foundation/runtime/ticker.ts'
import { OutputWatch } from '../orchestration/liveness/output-watch.ts'
import { createDefinitionFiles } from './built-ins.ts'
import { choosePoolFrom, offersPrompts } from './choose-pool.ts'
import { drainRunner } from './drain-runner.ts'
import { createKnownPools } from './known-pools.ts'
import { configuredGit } from './leftovers.ts'
import { createModelAccess } from './models.ts'
import { openConfigured } from './open-configured.ts'
import { createOperations } from './operations.ts'
import { createOrchestration } from './orchestration.ts'
import { createAgentServices } from './own-agents.ts'
import { openPersonas } from './personas.ts'
import { lockDataFolder } from './prepare-data-folder.ts'
import { startLocalRunner } from './runner.ts'
import { createStorage } from './storage.ts'
import { poolsWithSlots } from './worker-pools.ts'

export interface WorkerOptions {
  /** Tasks of each pool at a time; null: as the configuration says. */
  readonly slots: number | null
  /** Told of errors in the background. */
  readonly onError: (error: unknown) => void
}

/** A runner process that has joined the servers of a database. */
export interface Worker {
  readonly id: RunnerId
  /** Its own data folder: that of the project is left to a server. */
  readonly folder: string
  readonly pools: readonly PoolConfig[]
  /** Aborts when the data folder was taken over: whoever sees it must close without draining. */
  readonly lost: AbortSignal
  /**
   * Takes nothing new, and resolves when all that its agents hold has ended and is reported, or `signal` aborts. Tells the
   * number of tasks left whenever it has changed.
   */
  drain(signal: AbortSignal, onLeft: (tasks: number) => void): Promise<void>
  /** Ends what is left, whose leases pass to others at once, and unregisters. */
  close(): Promise<void>
}

const defaultTenant = asId<TenantId>('default')
/** What is to be forgotten, and when, is for servers to say. */
const keepAll = { keepEventsMs: 36_500 * 86_400_000, keepTicksMs: 36_500 * 86_400_000 }

/**
 * Starts a runner that takes the work of whatever servers share its database. It serves no requests and fires no schedules
 * or timers: that is for servers. Errors: `data-folder-locked`, those of the database.
 */
export async function startWorker(given: LoadedConfig, { slots, onError }: WorkerOptions): Promise<Worker> {
  const folder = join(given.config.dataFolder, 'work')
  const pools = poolsWithSlots(given.config.pools, slots)
  const loaded = { ...given, config: { ...given.config, dataFolder: folder, pools } }
  const { config } = loaded
  if (config.failpoints !== null) armFailpoints(config.failpoints)
  // What was opened, in order; it is closed from the end, whatever fails on the way.
  const closers: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (const closer of closers.splice(0).toReversed()) await closer()
  }
  try {
    const lock = await lockDataFolder(folder)
    closers.push(() => lock.release())
    const database = await openConfigured(loaded, lock, onError)
    closers.push(() => database.close())
    // Before the first event of this process: a server that starts beside it may be about to make the day's partition.
    await keepEventPartitions(database, keepAll)
    const known = createKnownPools(database, defaultTenant)
    await known.refresh()
    let ticker: Loop | null = null
    const orchestration = createOrchestration({
      database,
      definitions: createDefinitionFiles(config.workflowFolder),
      choosePool: choosePoolFrom(config.pools, known.offers),
      hasAgents: () => offersPrompts(config.pools, known.offers),
      personas: openPersonas(config),
      checkpointEveryMs: config.checkpointEveryMs,
      onRunEnd: config.onRunEnd,
      prices: config.prices,
      accounts: config.models.accounts,
      tick: { weightOf: (tenant) => config.shares[tenant] ?? 1 },
      onCommit: () => ticker?.poke(),
      onError,
    })
    ticker = startTicker(database, { onError })
    closers.push(() => ticker!.stop())
    // A runner that finds the leases of another lost gives them back, though no server were there at the moment.
    const reaper = orchestration.reaper.start()
    closers.push(() => reaper.stop())
    const storage = createStorage({ database, loaded })
    const output = new OutputWatch()
    const git = configuredGit(loaded)
    const modelAccess = createModelAccess(database, async () => config.models.url)
    closers.push(async () => modelAccess.close())
    const services = createAgentServices({ loaded, database, serverUrl: async () => config.models.url, onError })
    closers.push(async () => services.close())
    const runner = await startLocalRunner({
      loaded,
      database,
      orchestration,
      git,
      logs: output.listenTo(storage.logs),
      artifacts: storage.artifacts,
      tenant: defaultTenant,
      shared: true,
      modelGrant: modelAccess.grantFor,
      services,
      ...(slots === null ? {} : { mostStarted: slots }),
      onError,
    })
    closers.push(() => runner.close())
    const repoAt = async (path: string) => {
      const info = await git.inspect(path)
      return { path: info.path, commit: info.head, branch: info.branch }
    }
    const operations = createOperations({
      database,
      orchestration,
      repoAt,
      parallel: config.parallel,
      output,
      onError,
    })
    const loops = operations.join(runner.host)
    const looking = known.start(onError)
    closers.push(() => looking.stop())
    const stopLoops = () => Promise.all(loops.map((loop) => loop.stop()))
    closers.push(stopLoops)
    return {
      id: runner.id,
      folder,
      pools,
      lost: lock.lost,
      async drain(signal, onLeft) {
        // First of all nobody starts further agents here.
        await stopLoops()
        await drainRunner({ database, tenant: defaultTenant, runner, signal, onLeft, onError })
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
