import { createMcpMount } from '../external-api/mcp/index.ts'
import { eventRoutes } from '../external-api/streams/event-routes.ts'
import { armFailpoints } from '../foundation/kernel/failpoints.ts'
import { asId, type TenantId } from '../foundation/kernel/ids.ts'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { FolderLock } from '../foundation/platform/data-folder/folder-lock.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import type { Git } from '../foundation/platform/git/index.ts'
import { startConsumer } from '../foundation/runtime/consumer.ts'
import { keepEventPartitions, startEventPartitions } from '../foundation/runtime/event-partitions.ts'
import { EventReader } from '../foundation/runtime/event-reader.ts'
import { describeHeldEvents } from '../foundation/runtime/held-events.ts'
import type { Loop } from '../foundation/runtime/loop.ts'
import { startTicker } from '../foundation/runtime/ticker.ts'
import { startTimers } from '../foundation/runtime/timers.ts'
import type { PushPort } from '../orchestration/agents/a2a/push-port.ts'
import { countAgents } from '../orchestration/agents/agents-view.ts'
import { approvalRoutes } from '../orchestration/approvals/approvals-routes.ts'
import { settleExperience } from '../orchestration/approvals/gate-experience.ts'
import { artifactListRoutes } from '../orchestration/artifacts/artifacts-routes.ts'
import { artifactsOfRun } from '../orchestration/artifacts/artifacts-store.ts'
import { startBlobSweep } from '../orchestration/artifacts/blob-sweep.ts'
import { blobsOfCheckpoints } from '../orchestration/checkpoints/checkpoint-blobs.ts'
import { checkpointRoutes } from '../orchestration/checkpoints/checkpoints-routes.ts'
import { fullestContexts } from '../orchestration/context-growth/context-use-store.ts'
import { runnerChannel } from '../orchestration/coordinator/exchange-service.ts'
import { explainWaiting } from '../orchestration/coordinator/explain-waiting.ts'
import { Preemptor } from '../orchestration/coordinator/preemptor.ts'
import { readTaskSpecs } from '../orchestration/coordinator/sql/read-task-specs.ts'
import { OutputWatch } from '../orchestration/liveness/output-watch.ts'
import { mergeRoutes } from '../orchestration/merges/merges-routes.ts'
import { monitorRoutes } from '../orchestration/monitor/monitor-routes.ts'
import { MonitorService } from '../orchestration/monitor/monitor-service.ts'
import { personaRoutes } from '../orchestration/personas/personas-routes.ts'
import { proofRoutes } from '../orchestration/proofs/proofs-routes.ts'
import type { ProofsService } from '../orchestration/proofs/proofs-service.ts'
import { questionRoutes } from '../orchestration/questions/questions-routes.ts'
import { createPageOfRuns } from '../orchestration/runs/page-of-runs.ts'
import { countRuns, readQueue } from '../orchestration/runs/queue-figures.ts'
import { toRunView } from '../orchestration/runs/run-views.ts'
import { runRoutes } from '../orchestration/runs/runs-routes.ts'
import { requireRun, runCreatedAt } from '../orchestration/runs/runs-store.ts'
import { runsUnder } from '../orchestration/runs/runs-under.ts'
import { runOfTask } from '../orchestration/runs/task-ids-contract.ts'
import { toolCallRoutes } from '../orchestration/tool-calls/tool-calls-routes.ts'
import { workflowRoutes } from '../orchestration/workflows/workflow-routes.ts'
import { firstToKnow } from '../security/authn/index.ts'
import { openA2a } from './a2a.ts'
import { createAccess } from './access.ts'
import { createDefinitionFiles } from './built-ins.ts'
import { choosePoolFrom, modelOfPools, offersPrompts } from './choose-pool.ts'
import { drainRunner } from './drain-runner.ts'
import { openGateway } from './gateway.ts'
import { createKnownPools } from './known-pools.ts'
import { configuredGit } from './leftovers.ts'
import { openMerges } from './merges.ts'
import { createModelAccess, openModels } from './models.ts'
import { namesOfPrincipal } from './names-of-principal.ts'
import { openConfigured } from './open-configured.ts'
import { createOperations } from './operations.ts'
import { createOrchestration, type Orchestration } from './orchestration.ts'
import { type AgentServices, createAgentServices } from './own-agents.ts'
import { packageVersion } from './package-info.ts'
import { openPersonas } from './personas.ts'
import { createProofs } from './proofs.ts'
import { openRegistry } from './registry.ts'
import { createRemoteRunners, settleFormerRunners } from './remote-runners.ts'
import { createResources } from './resources.ts'
import { type LocalRunner, startLocalRunner } from './runner.ts'
import type { Platform, PlatformOptions } from './server.ts'
import { createSpending } from './spending.ts'
import { createStorage } from './storage.ts'
import { openStreams } from './streams.ts'
import { openWebhooks } from './webhooks.ts'

const defaultTenant = asId<TenantId>('default')
/** How long work may take to finish when the process is told to end. */
const drainMs = 3_000

/** Builds every long-lived object once, in order, and starts what must run. */
export async function openPlatform(
  loaded: LoadedConfig,
  lock: FolderLock,
  options: PlatformOptions,
): Promise<Platform> {
  const { config } = loaded
  if (config.failpoints !== null) armFailpoints(config.failpoints)
  const onError = options.onError ?? reportError
  const openDatabase = options.openDatabase ?? (() => openConfigured(loaded, lock, onError))
  const database = options.database ?? (await openDatabase())
  const closers: (() => Promise<unknown>)[] = options.database === undefined ? [() => database.close()] : []
  try {
    const git = configuredGit(loaded)
    const files = createDefinitionFiles(config.workflowFolder)
    const personas = openPersonas(config)
    const known = createKnownPools(database, defaultTenant)
    let ticker: Loop | null = null
    const orchestration = createOrchestration({
      database,
      definitions: files,
      choosePool: choosePoolFrom(config.pools, known.offers),
      hasAgents: () => offersPrompts(config.pools, known.offers),
      personas,
      checkpointEveryMs: config.checkpointEveryMs,
      namesOf: namesOfPrincipal,
      onRunEnd: config.onRunEnd,
      prices: config.prices,
      accounts: config.models.accounts,
      tick: { weightOf: (tenant) => config.shares[tenant] ?? 1 },
      onCommit: () => ticker?.poke(),
      onError,
    })
    const reader = await EventReader.start(database, { onError })
    closers.push(() => reader[Symbol.asyncDispose]())
    ticker = startTicker(database, { onTick: () => reader.poke(), onError })
    closers.push(() => ticker!.stop())
    await known.refresh()
    const looking = known.start(onError)
    closers.push(() => looking.stop())
    const storage = createStorage({ database, loaded })
    const onCommit = () => ticker?.poke()
    const { runs } = orchestration
    const proofs = createProofs(database, orchestration, storage)
    const access = createAccess({
      ...{ database, config, runs, reader, onError },
      blobs: storage.blobs,
      work: options.work,
    })
    closers.push(() => access.close())
    const { limiter } = access
    const webhooks = await openWebhooks({ loaded, database, runs, limiter, onCommit, onError })
    closers.push(() => webhooks[Symbol.asyncDispose]())
    const gateway = await openGateway({ loaded, database, reader, limiter, work: options.work, onCommit, onError })
    closers.push(() => gateway[Symbol.asyncDispose]())
    const streams = await openStreams({ loaded, database, reader, work: options.work, onCommit, onError })
    closers.push(() => streams.close())
    const a2a = await openA2a({
      ...{ loaded, database, orchestration, files, feed: streams.feed, onCommit, onError },
      repoAt: repoAt(git),
    })
    closers.push(() => a2a.close())
    const registry = openRegistry({ loaded, database, files, onCommit, onError })
    if (options.work) {
      const checks = registry.start()
      closers.push(() => checks.stop())
    }
    const onWarning = options.onWarning ?? reportWarning
    const output = new OutputWatch()
    const served = Promise.withResolvers<string>()
    const modelAccess = createModelAccess(database, () => served.promise)
    closers.push(async () => modelAccess.close())
    const services = createAgentServices({ loaded, database, serverUrl: () => served.promise, onCommit, onError })
    closers.push(async () => services.close())
    const runner = options.work
      ? await startWork({
          loaded,
          database,
          orchestration,
          git,
          storage,
          proofs,
          output,
          modelAccess,
          services,
          push: a2a.inbox,
          closers,
          onError,
          onWarning,
        })
      : null
    if (options.work) webhooks.start()
    if (options.work) a2a.start()
    const { parallel } = config
    const { dispatch } = orchestration
    const weightOf = (tenant: string) => config.shares[tenant] ?? 1
    const spending = createSpending({ database, dispatch, prices: config.prices, weightOf, onCommit, onError })
    closers.push(() => spending.close())
    if (options.work) {
      const loops = spending.start(reader)
      closers.push(() => Promise.all(loops.map((loop) => loop.stop())))
    }
    const models = await openModels({ loaded, database, spending, onCommit, onError, onWarning })
    closers.push(() => models.close())
    if (options.work) {
      const forgetting = models.start()
      closers.push(() => forgetting.stop())
    }
    const remote = createRemoteRunners({
      ...{ database, orchestration, git, storage, output, modelKey: modelAccess.keyFor, services },
      maxArtifactBytes: config.limits.artifactBytes,
    })
    closers.push(() => remote.close())
    const operations = createOperations({ database, orchestration, repoAt: repoAt(git), parallel, output, onError })
    if (options.work) {
      const loops = operations.start(runner?.host ?? null)
      closers.push(() => Promise.all(loops.map((loop) => loop.stop())))
    }
    const pageOfRuns = createPageOfRuns(database)
    const routes = [
      ...runRoutes({
        database,
        runs: orchestration.runs,
        catalog: orchestration.catalog,
        sources: { artifactsOfRun, explainWaiting, specsOf: readTaskSpecs, modelOf: modelOfPools(config.pools) },
        graphOf: orchestration.graphOf,
        queue: orchestration.queue,
        repoAt: repoAt(git),
        parallel,
      }),
      ...approvalRoutes({ database, approvals: orchestration.approvals, pageOfRuns }),
      ...questionRoutes({ database, questions: orchestration.questions, pageOfRuns }),
      ...toolCallRoutes({ database, requireRun }),
      ...artifactListRoutes({ database, requireRun, runsUnder }),
      ...personaRoutes(personas),
      ...mergeRoutes({ database, runsUnder, pageOfRuns }),
      ...proofRoutes(proofs, runOfTask),
      ...checkpointRoutes({ database, checkpoints: orchestration.checkpoints, toRunView }),
      ...workflowRoutes({ database, files }),
      ...eventRoutes({ database, feed: streams.feed, runCreatedAt }),
      ...streams.routes,
      ...webhooks.routes,
      ...a2a.routes,
      ...registry.routes,
      ...gateway.routes,
      ...operations.routes,
      ...spending.routes,
      ...monitorRoutes(
        new MonitorService({
          ...{ database, dataFolder: config.dataFolder, countAgents, readQueue, countRuns },
          readContexts: fullestContexts,
        }),
      ),
      ...createResources(database, config.dataFolder).routes,
      ...storage.routes,
      ...remote.routes,
      ...models.routes,
      ...services.routes,
      ...access.routes,
    ]
    const mcp = createMcpMount({ routes, version: packageVersion(), onError })
    closers.push(() => mcp.close())
    return {
      routes,
      mounts: [gateway.mount, mcp],
      access: { ...access, authenticate: (local) => access.authenticate(firstToKnow(local, models.authenticate)) },
      serving: (url) => {
        served.resolve(url)
        a2a.serving(url)
      },
      isReady: async () => {
        await database.asSystem('readiness').read((tx) => tx.query({ text: 'select 1', values: [] }))
        return true
      },
      close: () => closeAll(closers),
    }
  } catch (error) {
    await closeAll(closers)
    throw error
  }
}

interface Work {
  readonly loaded: LoadedConfig
  readonly database: Database
  readonly orchestration: Orchestration
  readonly git: Git
  readonly storage: ReturnType<typeof createStorage>
  readonly proofs: ProofsService
  readonly output: OutputWatch
  readonly modelAccess: ReturnType<typeof createModelAccess>
  readonly services: AgentServices
  readonly push: PushPort
  readonly closers: (() => Promise<unknown>)[]
  readonly onError: (error: unknown) => void
  readonly onWarning: (fields: object, message: string) => void
}

/** Starts what changes things by itself: the reaper, the timers, the waits for events and the local runner. */
async function startWork(work: Work): Promise<LocalRunner> {
  const { loaded, database, orchestration, git, storage, proofs, output, closers, onError, onWarning } = work
  await settleFormerRunners(database, orchestration)
  const { reaper } = orchestration
  const preemptor = new Preemptor({
    database,
    queue: orchestration.queue,
    onShards: orchestration.tickShards,
    wakeRunner: (id) => database.notify(runnerChannel(id)),
    onError,
  })
  // Before the first event of this process, so that it lands in a partition of its day.
  const { keepMs: keepEventsMs, resumeMs: keepTicksMs } = loaded.config.events
  await keepEventPartitions(database, { keepEventsMs, keepTicksMs })
  const merges = openMerges(database)
  const loops: Loop[] = [
    startEventPartitions(database, {
      keepEventsMs,
      keepTicksMs,
      onRound: ({ held }) => {
        for (const { fields, message } of describeHeldEvents(held, database.clock.now())) onWarning(fields, message)
      },
      onError,
    }),
    startBlobSweep({ database, blobs: storage.blobs, references: [blobsOfCheckpoints], onError }),
    reaper.start(),
    preemptor.start(),
    proofs.start({ onError }),
    startTimers(database, { handlers: orchestration.timers, onError }),
    startConsumer(database, {
      name: 'task-ends',
      handle: async (tx, events) => {
        const now = database.clock.now()
        await merges.handle(tx, events, now)
        await orchestration.pathLeases.handle(tx, events, now)
        await settleExperience(tx, events, now)
        await orchestration.questions.handle(tx, events, now)
        await proofs.handle(tx, events, now)
      },
      onError,
    }),
    startConsumer(database, {
      name: 'event-waits',
      handle: (tx, events) => orchestration.waits(tx, events, database.clock.now()),
      onError,
    }),
  ]
  closers.push(() => Promise.all(loops.map((loop) => loop.stop())))
  const runner: LocalRunner = await startLocalRunner({
    loaded,
    database,
    orchestration,
    git,
    logs: output.listenTo(storage.logs),
    artifacts: storage.artifacts,
    tenant: defaultTenant,
    modelGrant: work.modelAccess.grantFor,
    services: work.services,
    push: work.push,
    onError,
  })
  closers.push(async () => {
    const signal = AbortSignal.timeout(drainMs)
    // With the embedded database nobody else could do the work.
    if (database.kind === 'postgres') await drainRunner({ database, tenant: defaultTenant, runner, signal, onError })
    else await runner.drain(signal)
    await runner.close()
  })
  await orchestration.dispatchAll()
  return runner
}

function repoAt(git: Git) {
  return async (path: string) => {
    const info = await git.inspect(path)
    return { path: info.path, commit: info.head, branch: info.branch }
  }
}

function reportError(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error))
}

function reportWarning(_fields: object, message: string): void {
  process.emitWarning(message)
}

/** Runs every closer, the last first; the first failure is thrown when all have had their turn. */
async function closeAll(closers: readonly (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = []
  for (const close of closers.toReversed()) {
    try {
      await close()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}
