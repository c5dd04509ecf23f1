import { type IdSource, systemIds } from '../foundation/kernel/ids.ts'
import type { ModelPrice } from '../foundation/kernel/model-price.ts'
import { type Random, systemRandom } from '../foundation/kernel/random.ts'
import type { ModelAccount } from '../foundation/platform/config/models.ts'
import type { Database, Tx } from '../foundation/platform/database/database.ts'
import { planLikeSystem } from '../foundation/platform/database/plan-settings.ts'
import { isQuiet } from '../foundation/runtime/loop.ts'
import { AgentsMeter } from '../orchestration/agents/agents-meter.ts'
import { kindsOfAgents } from '../orchestration/agents/kinds-of-agents.ts'
import { RunnersStore } from '../orchestration/agents/runners-store.ts'
import { closeApprovals, createInsertApprovals } from '../orchestration/approvals/approvals-insert.ts'
import { ApprovalsService } from '../orchestration/approvals/approvals-service.ts'
import { experienceOf, insertSamples } from '../orchestration/approvals/experience-store.ts'
import { applyExperience } from '../orchestration/approvals/gate-experience.ts'
import type { ReadKnownAs } from '../orchestration/approvals/read-known-as.ts'
import { artifactsOfRun } from '../orchestration/artifacts/artifacts-store.ts'
import { budgetsOfRuns, insertBudgets } from '../orchestration/budgets/budgets-store.ts'
import { settleOtherWindows } from '../orchestration/budgets/other-windows.ts'
import { PriceTable } from '../orchestration/budgets/prices/price-table.ts'
import { recordAttempts } from '../orchestration/budgets/record-attempts.ts'
import { recordingExchange } from '../orchestration/budgets/recording-exchange.ts'
import { CheckpointsService } from '../orchestration/checkpoints/checkpoints-service.ts'
import { Counters } from '../orchestration/coordinator/counters.ts'
import { ExchangeService, runnerChannel } from '../orchestration/coordinator/exchange-service.ts'
import { FleetFigures } from '../orchestration/coordinator/fleet-figures.ts'
import { handOut } from '../orchestration/coordinator/hand-out.ts'
import { Looks } from '../orchestration/coordinator/looks.ts'
import { Reaper } from '../orchestration/coordinator/reaper.ts'
import { afterAttempt } from '../orchestration/coordinator/retry-rules.ts'
import { SecondLooks } from '../orchestration/coordinator/second-looks.ts'
import type { Shard } from '../orchestration/coordinator/sql/find-lanes.ts'
import { findReadyShards } from '../orchestration/coordinator/sql/find-ready-shards.ts'
import { readTaskSpecs } from '../orchestration/coordinator/sql/read-task-specs.ts'
import { TaskQueue } from '../orchestration/coordinator/task-queue.ts'
import { Ticker, type TickOptions } from '../orchestration/coordinator/tick.ts'
import { insertMerges } from '../orchestration/merges/merges-service.ts'
import { PathLeases } from '../orchestration/path-leases/path-leases.ts'
import type { PersonaFiles } from '../orchestration/personas/persona-files.ts'
import { withPersonas } from '../orchestration/personas/persona-language.ts'
import { QuestionsService } from '../orchestration/questions/questions-service.ts'
import { ProviderSubscriptions } from '../orchestration/quotas/provider-subscriptions.ts'
import { Calls } from '../orchestration/runs/calls.ts'
import { createEventWaits } from '../orchestration/runs/event-waits.ts'
import { stepsToKeep } from '../orchestration/runs/inherit-steps.ts'
import { pinCalls } from '../orchestration/runs/pinned-calls.ts'
import { contextOf } from '../orchestration/runs/run-context.ts'
import { RunEngine } from '../orchestration/runs/run-engine.ts'
import { requestersOf } from '../orchestration/runs/run-requesters.ts'
import { newestOpenRun, snapshotRun } from '../orchestration/runs/run-snapshots.ts'
import { RunStarter } from '../orchestration/runs/run-starter.ts'
import { RunSteering } from '../orchestration/runs/run-steering.ts'
import { lockOpenTasks } from '../orchestration/runs/run-tasks-store.ts'
import { createRunTimers } from '../orchestration/runs/run-timers.ts'
import { RunsService } from '../orchestration/runs/runs-service.ts'
import { spendersOfTasks } from '../orchestration/runs/spenders-of-tasks.ts'
import type { StepLanguage } from '../orchestration/runs/step-language.ts'
import { originOfTask } from '../orchestration/runs/task-origin.ts'
import { createWaitsEnded } from '../orchestration/runs/waits-ended.ts'
import { createToolCallKeeper } from '../orchestration/tool-calls/tool-calls-service.ts'
import {
  buildGraph,
  evaluateIf,
  eventMatches,
  itemNameOf,
  referencedSteps,
  resolveItem,
  resolveOnEnd,
  resolveOutputs,
  resolveStep,
} from '../orchestration/workflows/index.ts'
import { resolveBudget, resolveConcurrency } from '../orchestration/workflows/resolve-policies.ts'
import { type DefinitionSource, WorkflowCatalogService } from '../orchestration/workflows/workflow-catalog-service.ts'
import type { ResolvedTask, WorkflowDefinition } from '../orchestration/workflows/workflow-contract.ts'

export interface OrchestrationOptions {
  readonly database: Database
  readonly definitions: DefinitionSource
  /** The pool for tasks that name none. */
  readonly choosePool: (spec: ResolvedTask) => string
  /** Who agents can be. Default: steps name nobody. */
  readonly personas?: PersonaFiles
  /** Whether any pool takes prompts. Default: yes. */
  readonly hasAgents?: () => boolean
  /** How often a checkpoint is made of runs whose workflow does not say. Default null: never. */
  readonly checkpointEveryMs?: number | null
  /** Roles and groups of a caller, for approvals and questions that name them. Default: none. */
  readonly namesOf?: ReadKnownAs
  /** Program and arguments told of the end of every run whose workflow names none. Default null: nobody. */
  readonly onRunEnd?: readonly string[] | null
  /** Prices of models before those that come with the package. */
  readonly prices?: readonly ModelPrice[]
  /** Accounts with providers: what calls draw on by themselves, attempts do not. */
  readonly accounts?: readonly Pick<ModelAccount, 'subscription'>[]
  readonly ids?: IdSource
  readonly random?: Random
  readonly tick?: Partial<TickOptions>
  readonly silenceMs?: number
  /** Called after every commit that appended events. */
  readonly onCommit?: () => void
  readonly onError: (error: unknown) => void
}

export type Orchestration = ReturnType<typeof createOrchestration>

/** Builds the parts that move runs on, tied to each other. Starts nothing. */
export function createOrchestration(options: OrchestrationOptions) {
  const { database, definitions, choosePool, onError } = options
  const ids = options.ids ?? systemIds
  const random = options.random ?? systemRandom
  const onCommit = options.onCommit ?? (() => {})
  const runners = new RunnersStore()
  const figures = new FleetFigures(database.clock)
  const looks = new Looks()
  const ticker = new Ticker({ ...options.tick, figures, looks })
  const catalog = new WorkflowCatalogService(definitions)
  const queue: TaskQueue = new TaskQueue(
    {
      stepsEnded: (tx, steps, now, spending) => engine.stepsEnded(tx, steps, now, spending),
      waitsEnded: (tx, tasks, now) => waitsEnded(tx, tasks, now),
      startCalls: (tx, tasks, now) => calls.start(tx, tasks, now),
      otherWindows: settleOtherWindows,
    },
    looks,
  )
  const plain = {
    evaluateIf,
    resolveStep,
    resolveItem,
    itemNameOf,
    referencedSteps,
    resolveOutputs,
    resolveOnEnd,
    eventMatches,
  }
  const { personas } = options
  const language: StepLanguage =
    personas === undefined ? plain : withPersonas(plain, { personas, hasAgents: options.hasAgents ?? (() => true) })

  const graphOf = (definition: WorkflowDefinition) => buildGraph({ ...definition.steps, ...definition.finally })
  /** Matches what is ready with free slots; returns the shards that others were ticking. */
  const dispatchOnce = async (tx: Tx, shards: readonly Shard[], now: Date, last: boolean) => {
    if (shards.length > 0) planLikeSystem(tx)
    const mayEnd = last && !tx.again ? () => true : null
    const asked = { asked: [], woken: shards, now, forRunner: null, counters: new Counters(), mayEnd }
    const { leased, taken } = await handOut(tx, { ticker, queue }, asked)
    tx.afterCommit(() => {
      onCommit()
      exchange.hint(leased, null)
    })
    return taken
  }
  const secondLooks = new SecondLooks({
    tick: (shards) => database.asSystem('dispatch').write((tx) => dispatchOnce(tx, shards, database.clock.now(), true)),
    onError,
  })
  const dispatchIn = async (tx: Tx, shards: readonly Shard[], now: Date, last: boolean) => {
    const taken = await dispatchOnce(tx, shards, now, last)
    tx.afterCommit(() => secondLooks.ask(taken))
  }
  const dispatch = (tx: Tx, shards: readonly Shard[], now: Date) => dispatchIn(tx, shards, now, false)
  /** The same for whoever has nothing more to say: the commit may travel behind it. */
  const dispatchLast = (tx: Tx, shards: readonly Shard[], now: Date) => dispatchIn(tx, shards, now, true)
  const starter = new RunStarter({
    checkpointEveryMs: options.checkpointEveryMs ?? null,
    ids,
    engine: () => engine,
    queue: () => queue,
    definitionOf: (tx, run) => catalog.read(tx, run.tenant, run.workflow, run.version),
    pinCalls: (tx, run, what, now) => pinCalls(tx, run, what, catalog, now),
    insertBudgets,
    look: (tx, { tenant, shards }, budgets) => {
      const remaining = budgets.then((known) =>
        known.flatMap(({ id, room }) => (room === null ? [] : [{ tenant, id, remaining: room }])),
      )
      ticker.look(tx, shards, remaining)
    },
    budgetOf: (definition) => resolveBudget(definition.budget, null),
    concurrencyOf: (definition, run) => resolveConcurrency(definition.concurrency, contextOf(run, [], new Map())),
  })
  const calls = new Calls({ catalog, starter, queue: () => queue, random, afterAttempt, specsOf: readTaskSpecs })
  const wakeRunners = (tx: Tx, runnerIds: readonly string[]) => {
    tx.afterCommit(() => {
      for (const id of runnerIds) database.notify(runnerChannel(id))
    })
  }
  const steering = new RunSteering({ engine: () => engine, queue: () => queue, starter, calls, wakeRunners })
  const waitsEnded = createWaitsEnded({ steering, closeApprovals })
  const runs = new RunsService({ ids, database, catalog, starter, steering, dispatch, dispatchLast })
  const checkpoints: CheckpointsService = new CheckpointsService({
    database,
    ids,
    runs: () => runs,
    snapshots: {
      snapshot: (tx, ref) => snapshotRun(tx, ref, artifactsOfRun),
      newestOpen: newestOpenRun,
      definitionOf: (tx, run) => catalog.read(tx, run.tenant, run.workflow, run.version),
      stepsToKeep: (document, definition, again) => stepsToKeep(document.steps, graphOf(definition), again),
    },
  })
  const pathLeases = new PathLeases({ queue: () => queue, dispatch })
  const engine: RunEngine = new RunEngine({
    onRunEnd: options.onRunEnd ?? null,
    ids,
    language,
    choosePool,
    queue: () => queue,
    definitionOf: (tx, tenant, name, version) => catalog.read(tx, tenant, name, version),
    insertApprovals: createInsertApprovals({ requestersOf }),
    insertMerges,
    claimPaths: pathLeases.claim,
    applyExperience,
    insertBudgets,
    budgetsOfRuns,
    specsOf: readTaskSpecs,
    startCalls: calls.start,
    runsEnded: steering.runsEnded,
    beforeRisky: (tx, ref, steps, now) => checkpoints.beforeRisky(tx, ref, steps, now),
  })
  const approvals = new ApprovalsService({
    ...{ database, queue, dispatch },
    lockTasks: lockOpenTasks,
    ...(options.namesOf === undefined ? {} : { namesOf: options.namesOf }),
  })
  const questions = new QuestionsService({
    database,
    kindOfWork: async (tx, tenant, taskId) => {
      const origin = await originOfTask(tx, tenant, taskId)
      if (origin === null || origin.agentId === null) return null
      const agent = (await kindsOfAgents(tx, tenant, [origin.agentId])).get(origin.agentId)
      return `${agent?.kind ?? 'unknown'}/${origin.workflow}/${origin.step}`
    },
    learning: { experienceOf, insertSamples },
    rulesOf: async (tx, tenant, taskId) => {
      const spec = (await readTaskSpecs(tx, [{ tenant, taskId }])).get(taskId)
      return spec?.kind === 'agent' ? (spec.questions ?? null) : null
    },
    ...(options.namesOf === undefined ? {} : { namesOf: options.namesOf }),
  })
  const keepToolCalls = createToolCallKeeper(database, onCommit)
  const exchange: ExchangeService = new ExchangeService({
    ...{ database, queue, ticker, runners, random, secondLooks },
    // A runner that only says that it lives has told no events.
    onCommit: () => {
      if (!isQuiet(database.pulse)) onCommit()
    },
  })
  const meter = new AgentsMeter()
  const recording = {
    ...{ database, onCommit, spendersOf: spendersOfTasks },
    prices: new PriceTable(options.prices),
    subscriptions: new ProviderSubscriptions(
      database,
      new Set(options.accounts?.flatMap(({ subscription }) => subscription ?? [])),
    ),
  }
  const tickShards = (shards: readonly Shard[]) =>
    database.asSystem('dispatch').write((tx) => dispatchLast(tx, shards, database.clock.now()))
  /** Ticks every shard that holds ready work: at start, when nothing else has reason to. */
  const dispatchAll = async () => {
    const shards = await database.asSystem('dispatch').read(findReadyShards)
    if (shards.length > 0)
      await database.asSystem('dispatch').write((tx) => dispatchLast(tx, shards, database.clock.now()))
  }
  const reaper = new Reaper({
    database,
    queue,
    runners,
    random,
    startWaitingRuns: (tx, now) => starter.startWaiting(tx, now),
    onShards: tickShards,
    onError,
    ...(options.silenceMs === undefined ? {} : { silenceMs: options.silenceMs }),
  })
  const timers = {
    ...createRunTimers({ queue, steering, dispatch }),
    'approval-deadline': approvals.deadlines,
    'question-deadline': questions.deadlines,
    checkpoint: checkpoints.due,
  }
  const waits = createEventWaits({ queue, dispatch, language, specsOf: readTaskSpecs })
  return {
    graphOf,
    dispatchAll,
    timers,
    waits,
    database,
    runners,
    ticker,
    catalog,
    queue,
    runs,
    starter,
    steering,
    engine,
    approvals,
    questions,
    keepToolCalls,
    pathLeases,
    checkpoints,
    exchange,
    /** The exchange as runners get it: what passes is counted. */
    runnerPort: recordingExchange(figures.listenTo(meter.listenTo(exchange)), (reports) =>
      recordAttempts(reports, recording),
    ),
    figures,
    meter,
    reaper,
    dispatch,
    tickShards,
    language,
  }
}
