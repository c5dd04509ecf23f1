import { isAppError } from '../../foundation/kernel/errors.ts'
import type { IdSource, RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import { transition } from '../../foundation/kernel/state-table.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { announceLongThought } from '../../foundation/platform/database/long-thought.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import type { KnownBudget, PendingSpending } from '../budgets/budget-rules-contract.ts'
import type { EndedStep } from '../coordinator/sql/apply-counters.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { TaskQueue } from '../coordinator/task-queue.ts'
import type { WorkflowDefinition } from '../workflows/workflow-contract.ts'
import { type CloseTools, closeSteps } from './close-steps.ts'
import { type Move, nextMoves, type RunOutcome, type StepNode } from './next-moves.ts'
import { RunChanges } from './run-changes.ts'
import { contextOf, readStepOutputs } from './run-context.ts'
import { keyOf, type RunRef, type RunRow, type StepRow } from './run-rows.ts'
import { callersOf, insertSteps, lockRuns, readSteps, runCreated, saveSteps } from './runs-store.ts'
import { isRunEnded, isTaskEnded, runStates } from './states-contract.ts'
import { activateOnEnd, activateStep, onEndStep } from './step-activation.ts'
import { type WriteTools, writeChanges } from './write-changes.ts'

export interface RunEngineOptions extends CloseTools, WriteTools {
  readonly ids: IdSource
  readonly queue: () => TaskQueue
  readonly definitionOf: (tx: Tx, tenant: TenantId, workflow: string, version: number) => Promise<WorkflowDefinition>
  /** The budgets that bind every task of a run; the `budgets` part provides them. */
  readonly budgetsOfRuns: (
    tx: Tx,
    tenant: TenantId,
    runs: readonly { readonly id: string; readonly workflow: string }[],
  ) => Promise<readonly KnownBudget[]>
  /** Called in the transaction, before the steps in question get their tasks. */
  readonly beforeRisky: (tx: Tx, ref: RunRef, steps: readonly string[], now: Date) => Promise<void>
  /** Called in the transaction that ends runs; returns what became ready by it. */
  readonly runsEnded: (tx: Tx, runs: readonly RunRow[], now: Date) => Promise<readonly Shard[]>
}

/** A run under way in memory: rows as they will be. */
interface Live {
  run: RunRow
  readonly definition: WorkflowDefinition
  readonly nodes: readonly StepNode[]
  readonly steps: Map<string, StepRow>
  /** Of the steps that were asked for. */
  readonly outputs: Map<string, JsonObject>
  /** Null: nobody has waited for them yet. */
  budgets: readonly KnownBudget[] | null
  /** Asked for ahead. */
  readonly coming?: Promise<readonly KnownBudget[]>
  readonly spending: PendingSpending
  /** Its steps are still to be inserted. */
  isNew: boolean
}

/** A run that has just been inserted. */
export interface NewlyBegun {
  readonly run: RunRow
  readonly definition: WorkflowDefinition
  readonly rows: readonly StepRow[]
  /** What `budgetsOf` says of it. */
  readonly budgets: Promise<readonly KnownBudget[]>
}

export interface Begun {
  readonly run: RunRow
  readonly shards: readonly Shard[]
}

/** Moves runs on: closes steps, activates what is due, ends what is done. All in the caller's transaction, many runs at a time. */
export class RunEngine {
  readonly #options: RunEngineOptions

  constructor(options: RunEngineOptions) {
    this.#options = options
  }

  /** What the task queue calls when the last open task of a step has ended. */
  readonly stepsEnded = (
    tx: Tx,
    steps: readonly EndedStep[],
    now: Date,
    spending: PendingSpending,
  ): Promise<readonly Shard[]> =>
    this.advance(
      tx,
      steps.map((step) => ({ tenant: step.tenant, runId: step.runId as RunId })),
      now,
      spending,
    )

  async advance(
    tx: Tx,
    refs: readonly RunRef[],
    now: Date,
    spending: PendingSpending = noSpending,
  ): Promise<readonly Shard[]> {
    const unique = [...new Map(refs.map((ref) => [keyOf(ref), ref])).values()]
    const [locked, rows] = await Promise.all([lockRuns(tx, unique), readSteps(tx, unique)])
    const runs = locked.filter((run) => !isRunEnded(run.state) && run.state !== 'pending')
    if (runs.length === 0) return []
    const lives: Live[] = []
    for (const run of runs) {
      const definition = await this.#options.definitionOf(tx, run.tenant, run.workflow, run.version)
      lives.push(liveOf(run, definition, rows.get(keyOf(refOf(run))) ?? [], spending))
    }
    return this.#advanceAll(tx, lives, now)
  }

  /**
   * As `advance`, for a run that this transaction has inserted: nobody else can see it yet. Its steps are as given, and
   * written here. Returns the run as it then is.
   */
  async begin(tx: Tx, { run, definition, rows, budgets }: NewlyBegun, now: Date): Promise<Begun> {
    const live: Live = { ...liveOf(run, definition, rows, noSpending), coming: budgets, isNew: true }
    const changes = new RunChanges()
    changes.events.push(runCreated(run))
    const shards = await this.#advanceAll(tx, [live], now, changes)
    return { run: changes.runs.length === 0 ? run : { ...live.run, rev: run.rev + 1 }, shards }
  }

  /** The budgets that bind every task of a run and of the runs that wait for it. */
  async budgetsOf(tx: Tx, run: RunRow): Promise<readonly KnownBudget[]> {
    // Most runs have none, and what is asked for them travels at once.
    const callers = run.origin?.kind === 'sub-run' ? await callersOf(tx, run) : []
    return this.#options.budgetsOfRuns(tx, run.tenant, [run, ...callers])
  }

  async #advanceAll(tx: Tx, lives: readonly Live[], now: Date, changes = new RunChanges()): Promise<readonly Shard[]> {
    await closeSteps(tx, lives, this.#options, changes, now)
    const ended: RunRow[] = []
    for (const live of lives) {
      if (live.run.state !== 'paused') await this.#move(tx, live, changes, ended, now)
    }
    for (const live of lives) if (live.isNew) changes.addNewSteps(refOf(live.run), stepsOf(live), now)
    const shards = [...(await writeChanges(tx, changes, this.#options.queue(), this.#options, now))]
    if (ended.length > 0) shards.push(...(await this.#options.runsEnded(tx, ended, now)))
    return shards
  }

  async #move(tx: Tx, live: Live, changes: RunChanges, ended: RunRow[], now: Date): Promise<void> {
    for (;;) {
      const moves = nextMoves({
        steps: live.nodes,
        status: live.steps,
        cancelRequested: live.run.cancelRequested,
        timedOut: live.run.error?.code === 'timeout' && live.run.cancelRequested,
        outcome: live.run.outcome,
      })
      if (moves.length === 0) break
      await this.#prepareRisky(tx, live, moves, changes, now)
      for (const move of moves) {
        await this.#apply(tx, live, move, changes, now)
        if (move.kind !== 'end') continue
        if (isRunEnded(live.run.state)) ended.push(live.run)
        return
      }
    }
    this.#restOrWake(live, changes)
  }

  async #apply(tx: Tx, live: Live, move: Move, changes: RunChanges, now: Date): Promise<void> {
    const { run } = live
    switch (move.kind) {
      case 'skip': {
        const row: StepRow = { ...live.steps.get(move.step)!, state: 'skipped', reason: move.reason, endedAt: now }
        live.steps.set(move.step, row)
        changes.step(refOf(run), row)
        return
      }
      case 'activate': {
        const context = contextOf(run, [...live.steps.values()], await this.#outputsOf(tx, live, move.step))
        const step = live.steps.get(move.step)!
        const budgets = await this.#budgetsOf(tx, live)
        const row = activateStep(
          { run, definition: live.definition, step, context, budgets, now, onLarge: () => announceLongThought(tx) },
          this.#options,
          changes,
        )
        live.steps.set(move.step, row)
        return
      }
      case 'conclude':
        live.run = { ...run, outcome: move.outcome }
        changes.run(live.run)
        return
      case 'end':
        if (await this.#tellEnd(tx, live, move.outcome, changes, now)) return
        live.run = await this.#end(tx, live, move.outcome, now)
        changes.run(live.run)
    }
  }

  /** Whether the end has to wait until a command has been told of it. */
  async #tellEnd(tx: Tx, live: Live, outcome: RunOutcome, changes: RunChanges, now: Date): Promise<boolean> {
    const told =
      live.definition.onEnd !== undefined || (this.#options.onRunEnd !== null && live.run.parentTask === null)
    if (!told) return false
    const known = live.steps.get(onEndStep)
    if (known !== undefined) return !isTaskEnded(known.state)
    const run = { ...live.run, outcome }
    const context = contextOf(run, [...live.steps.values()], await this.#outputsOf(tx, live, null))
    const step = { ...blankStep, step: onEndStep, position: live.steps.size }
    try {
      const row = activateOnEnd(
        { run, definition: live.definition, step, context, budgets: [], now },
        this.#options,
        changes,
      )
      if (row !== null) live.steps.set(onEndStep, row)
      return row !== null
    } catch (error) {
      if (!isAppError(error)) throw error
      changes.newSteps.push({ ...refOf(run), row: { ...step, state: 'failed', reason: error.message, endedAt: now } })
      return false
    }
  }

  async #end(tx: Tx, live: Live, outcome: NonNullable<RunRow['outcome']>, now: Date): Promise<RunRow> {
    const event = outcome === 'succeeded' ? 'succeed' : outcome === 'failed' ? 'fail' : 'cancel'
    const done = { ...live.run, outcome, endedAt: now }
    if (outcome !== 'succeeded') {
      const error = live.run.error ?? firstError(live, outcome)
      return { ...done, error, state: transition(runStates, live.run.id, live.run.state, event) }
    }
    try {
      const context = contextOf(live.run, [...live.steps.values()], await this.#outputsOf(tx, live, null))
      const outputs = this.#options.language.resolveOutputs(live.definition, context)
      return { ...done, outputs, state: transition(runStates, live.run.id, live.run.state, event) }
    } catch (error) {
      if (!isAppError(error)) throw error
      const failure = { code: error.code, message: error.message }
      return {
        ...done,
        outcome: 'failed',
        error: failure,
        state: transition(runStates, live.run.id, live.run.state, 'fail'),
      }
    }
  }

  async #prepareRisky(tx: Tx, live: Live, moves: readonly Move[], changes: RunChanges, now: Date): Promise<void> {
    if (live.definition.checkpoints?.beforeRisky === false) return
    const risky = moves.flatMap((move) => {
      if (move.kind !== 'activate') return []
      const step = live.definition.steps[move.step] ?? live.definition.finally[move.step]
      return step?.risky ? [move.step] : []
    })
    if (risky.length === 0) return
    // What has ended in this round must be in the checkpoint.
    if (live.isNew) await this.#insertNow(tx, live, changes, now)
    const written = changes.takeSteps(refOf(live.run))
    await saveSteps(tx, written, now)
    for (const { row } of written) live.steps.set(row.step, { ...row, rev: row.rev + 1 })
    await this.#options.beforeRisky(tx, refOf(live.run), risky, now)
  }

  async #insertNow(tx: Tx, live: Live, changes: RunChanges, now: Date): Promise<void> {
    for (const row of changes.addNewSteps(refOf(live.run), stepsOf(live), now)) live.steps.set(row.step, row)
    live.isNew = false
    insertSteps(tx, changes.newSteps.splice(0))
    await appendEvents(tx, changes.events.splice(0))
  }

  /** A run in which nothing but waiting is left waits itself, and wakes when something is to be done again. */
  #restOrWake(live: Live, changes: RunChanges): void {
    const open = [...live.steps.values()].filter((row) => row.state === 'running' || row.state === 'waiting')
    const allWait = open.length > 0 && open.every((row) => row.state === 'waiting')
    if (allWait && live.run.state === 'running') live.run = { ...live.run, state: 'waiting' }
    else if (!allWait && live.run.state === 'waiting') live.run = { ...live.run, state: 'running' }
    else return
    changes.run(live.run)
  }

  /** The outputs of the steps that a step (null: the end of the run) refers to, and of the others what happens to be known. */
  async #outputsOf(tx: Tx, live: Live, step: string | null): Promise<ReadonlyMap<string, JsonObject>> {
    const unread: string[] = []
    for (const name of this.#options.language.referencedSteps(live.definition, step)) {
      const row = live.steps.get(name)
      if (row === undefined || row.endedAt === null) continue
      // What ended in this round is not written yet.
      if (row.outputs !== null) live.outputs.set(name, row.outputs as JsonObject)
      else if (!live.outputs.has(name)) unread.push(name)
    }
    if (unread.length > 0) {
      const stored = await readStepOutputs(tx, refOf(live.run), unread)
      for (const name of unread) live.outputs.set(name, stored.get(name) ?? {})
    }
    return live.outputs
  }

  async #budgetsOf(tx: Tx, live: Live): Promise<readonly KnownBudget[]> {
    if (live.budgets === null) {
      const { run, spending } = live
      const known = await (live.coming ?? this.budgetsOf(tx, run))
      live.budgets = known.map((budget) => {
        const { id, left } = budget
        return left === null ? budget : { ...budget, left: left - spending.spentOf(run.tenant, id) }
      })
    }
    return live.budgets
  }
}

const blankStep: StepRow = {
  step: '',
  position: 0,
  state: 'pending',
  rev: 1,
  reason: null,
  byCondition: false,
  total: 0,
  open: 0,
  failed: 0,
  cancelled: 0,
  tolerate: 0,
  outputs: null,
  error: null,
  startedAt: null,
  endedAt: null,
}

const noSpending: PendingSpending = { spentOf: () => 0 }

function liveOf(
  run: RunRow,
  definition: WorkflowDefinition,
  rows: readonly StepRow[],
  spending: PendingSpending,
): Live {
  const steps = new Map(rows.map((row) => [row.step, row]))
  return {
    run,
    definition,
    nodes: nodesOf(definition),
    steps,
    outputs: new Map(),
    budgets: null,
    spending,
    isNew: false,
  }
}

/** Without what was added beside the graph, which is written by itself. */
function stepsOf({ steps, nodes }: Live): readonly StepRow[] {
  return nodes.map(({ id }) => steps.get(id)!)
}

function refOf(run: RunRow): RunRef {
  return { tenant: run.tenant, runId: run.id }
}

function nodesOf(definition: WorkflowDefinition): readonly StepNode[] {
  const toNode =
    (isFinally: boolean) =>
    ([id, step]: [string, WorkflowDefinition['steps'][string]]): StepNode => ({
      id,
      needs: step.needs,
      isFinally,
      allowFailure: step.allowFailure ?? false,
    })
  return [
    ...Object.entries(definition.steps).map(toNode(false)),
    ...Object.entries(definition.finally).map(toNode(true)),
  ]
}

/** Why a run ended otherwise than well: its first step that failed though it was not allowed to. */
function firstError({ nodes, steps }: Live, outcome: string): RunRow['error'] {
  const all = [...steps.values()]
  const tolerated = new Set(nodes.filter((node) => node.allowFailure).map((node) => node.id))
  const failures = all.filter((row) => row.state === 'failed' || row.state === 'timed-out')
  const failed =
    failures.find((row) => !tolerated.has(row.step)) ?? failures[0] ?? all.find((row) => row.state === 'cancelled')
  if (failed === undefined) return { code: `run-${outcome}`, message: `the run was ${outcome}` }
  return { code: failed.error?.code ?? failed.state, message: `step ${failed.step}: ${failed.reason ?? failed.state}` }
}
