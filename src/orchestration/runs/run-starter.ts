import type { IdSource, RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import { parseDuration } from '../../foundation/kernel/units.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { planLikeSystem } from '../../foundation/platform/database/plan-settings.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import { setTimers, type Timer } from '../../foundation/runtime/timers.ts'
import { type KnownBudget, limitsOf, type NewBudget } from '../budgets/budget-rules-contract.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { TaskQueue } from '../coordinator/task-queue.ts'
import type { ResolvedBudget } from '../workflows/task-contract.ts'
import type { WorkflowDefinition } from '../workflows/workflow-contract.ts'
import type { Begun, RunEngine } from './run-engine.ts'
import type { RunOriginKind, RunRow, StepRow } from './run-rows.ts'
import { insertRuns, insertSteps, lockRuns, runCreated, saveRuns } from './runs-store.ts'

/** Steps whose end a new run takes over instead of doing them. */
export interface Inherited {
  readonly origin: { readonly kind: RunOriginKind; readonly id: string }
  readonly steps: ReadonlyMap<
    string,
    { readonly outputs: JsonObject; readonly byCondition: boolean; readonly state: StepRow['state'] }
  >
}

export interface RunStarterOptions {
  /** How often a checkpoint is made of runs whose workflow does not say; null: never. */
  readonly checkpointEveryMs: number | null
  readonly ids: IdSource
  readonly engine: () => RunEngine
  readonly queue: () => TaskQueue
  /** The definition a run began with. */
  readonly definitionOf: (tx: Tx, run: RunRow) => Promise<WorkflowDefinition>
  /** Notes the versions of the workflows that a run calls. */
  readonly pinCalls: (tx: Tx, run: RunRow, what: Pick<NewRun, 'definition' | 'repeats'>, now: Date) => Promise<void>
  /** Keeps new budgets; the `budgets` part provides it. */
  readonly insertBudgets: (tx: Tx, budgets: readonly NewBudget[]) => Promise<void>
  /** The budget of a workflow, in the units of the ledger. */
  readonly budgetOf: (definition: WorkflowDefinition) => ResolvedBudget
  /** Asks ahead about shards in which this transaction is going to make work ready, under these budgets. */
  readonly look: (
    tx: Tx,
    where: { readonly tenant: TenantId; readonly shards: readonly Shard[] },
    budgets: Promise<readonly KnownBudget[]>,
  ) => void
  /** Evaluates the key of a workflow's own concurrency limit. */
  readonly concurrencyOf: (
    definition: WorkflowDefinition,
    run: RunRow,
  ) => { readonly key: string; readonly limit: number } | null
}

export interface NewRun {
  readonly tenant: TenantId
  /** Default: a new one. */
  readonly id?: RunId | undefined
  readonly definition: WorkflowDefinition
  readonly version: number
  readonly from: Pick<RunRow, 'inputs' | 'repo' | 'priority' | 'parallel' | 'labels'>
  readonly inherited?: Inherited
  /** The run whose work it does again: it calls the same versions of other workflows. */
  readonly repeats?: RunId
  /** The task of another run that waits for this one. */
  readonly caller?: { readonly run: RunId; readonly task: string; readonly budget: ResolvedBudget }
}

/** Brings runs to life, at once or when it is their turn. */
export class RunStarter {
  readonly #options: RunStarterOptions
  /** Where runs of a version began to work the last time. */
  readonly #beginnings = new Map<string, readonly Shard[]>()

  constructor(options: RunStarterOptions) {
    this.#options = options
  }

  async begin(tx: Tx, what: NewRun, now: Date): Promise<Begun> {
    const { definition, inherited } = what
    planLikeSystem(tx)
    const run = await this.#place(tx, this.#newRun(what, now), definition)
    const ref = { tenant: run.tenant, runId: run.id }
    const rows = stepRows(definition, inherited, now)
    await this.#options.insertBudgets(tx, this.#budgetsOf(run, what))
    // What is asked travels ahead of what is written: the answers are here before all of that is done.
    const ahead = run.startedAt === null ? null : this.#askAhead(tx, run)
    insertRuns(tx, [run])
    if (what.caller === undefined) await this.#options.pinCalls(tx, run, what, now)
    if (ahead === null) {
      insertSteps(
        tx,
        rows.map((row) => ({ ...ref, row })),
      )
      await appendEvents(tx, [runCreated(run)])
      return { run, shards: [] }
    }
    await setTimers(tx, runTimers(run, definition, this.#options.checkpointEveryMs, now))
    const result = await this.#options.engine().begin(tx, { run, definition, rows, budgets: ahead }, now)
    this.#noteBeginning(run, result.shards)
    return result
  }

  /** Asks for the budgets of a run, and about the shards in which it is likely to begin. */
  #askAhead(tx: Tx, run: RunRow): Promise<readonly KnownBudget[]> {
    const budgets = this.#options.engine().budgetsOf(tx, run)
    // Whoever waits for it hears of a failure; where a statement before it fails first, nobody does.
    budgets.catch(() => undefined)
    this.#options.look(tx, { tenant: run.tenant, shards: this.#beginnings.get(versionOf(run)) ?? [] }, budgets)
    return budgets
  }

  #noteBeginning(run: RunRow, shards: readonly Shard[]): void {
    if (this.#beginnings.size >= mostBeginnings) this.#beginnings.clear()
    this.#beginnings.set(versionOf(run), shards)
  }

  /** Starts the runs whose turn it is under a workflow's own limit, the oldest first. */
  async startNext(tx: Tx, tenant: TenantId, key: string, now: Date): Promise<readonly Shard[]> {
    const shards: Shard[] = []
    for (;;) {
      const [next] = await tx.query<{ id: RunId }>(sql`
        select id from runs where tenant_id = ${tenant} and concurrency_key = ${key} and state = 'pending'
        order by created_at, id limit 1 for update skip locked`)
      if (next === undefined || !(await this.#options.queue().takePlace(tx, { tenant, key }))) return shards
      const ref = { tenant, runId: next.id }
      const [run] = await lockRuns(tx, [ref])
      await saveRuns(tx, [{ ...run!, state: 'running', startedAt: now }], now)
      await setTimers(
        tx,
        runTimers(run!, await this.#options.definitionOf(tx, run!), this.#options.checkpointEveryMs, now),
      )
      shards.push(...(await this.#options.engine().advance(tx, [ref], now)))
    }
  }

  /** Starts runs whose turn has come and whom nobody told, for example because a limit was raised. */
  async startWaiting(tx: Tx, now: Date): Promise<readonly Shard[]> {
    const keys = await tx.query<{ tenant: TenantId; key: string }>(sql`
      select distinct tenant_id as tenant, concurrency_key as key from runs
      where state = 'pending' and concurrency_key is not null limit 1000`)
    const shards: Shard[] = []
    for (const { tenant, key } of keys) shards.push(...(await this.startNext(tx, tenant, key, now)))
    return shards
  }

  /** Takes its place under the limit of its workflow, or leaves it pending. */
  async #place(tx: Tx, run: RunRow, definition: WorkflowDefinition): Promise<RunRow> {
    const started = { ...run, state: 'running', startedAt: run.createdAt } as const
    const limit = this.#options.concurrencyOf(definition, run)
    if (limit === null) return started
    const concurrencyKey = `workflow:${limit.key}`
    const place = { tenant: run.tenant, key: concurrencyKey, max: limit.limit }
    return (await this.#options.queue().takePlace(tx, place))
      ? { ...started, concurrencyKey }
      : { ...run, concurrencyKey }
  }

  /** Both the workflow and whoever calls it may set limits: the smaller one counts. */
  #budgetsOf(run: RunRow, { definition, caller }: NewRun): readonly NewBudget[] {
    const limits = new Map<string, number>()
    for (const { unit, limit } of [
      ...limitsOf(this.#options.budgetOf(definition)),
      ...limitsOf(caller?.budget ?? {}),
    ]) {
      limits.set(unit, Math.min(limit, limits.get(unit) ?? Number.POSITIVE_INFINITY))
    }
    return [...limits].map(([unit, hardLimit]) => ({
      tenant: run.tenant,
      id: `run:${run.id}:${unit}`,
      scope: 'run',
      scopeId: run.id,
      unit,
      hardLimit,
    }))
  }

  #newRun({ tenant, id, definition, version, from, inherited, caller }: NewRun, now: Date): RunRow {
    return {
      tenant,
      id: id ?? this.#options.ids.next<RunId>('run'),
      workflow: definition.name,
      version,
      state: 'pending',
      rev: 1,
      inputs: from.inputs,
      outputs: null,
      error: null,
      repo: from.repo,
      priority: from.priority,
      parallel: from.parallel,
      concurrencyKey: null,
      labels: from.labels,
      origin: inherited?.origin ?? (caller === undefined ? null : { kind: 'sub-run', id: caller.run }),
      parentTask: caller?.task ?? null,
      cancelRequested: false,
      outcome: null,
      createdAt: now,
      startedAt: null,
      endedAt: null,
    }
  }
}

const mostBeginnings = 1_000

function versionOf({ tenant, workflow, version }: RunRow): string {
  return `${tenant}/${workflow}/${version}`
}

function stepRows(definition: WorkflowDefinition, inherited: Inherited | undefined, now: Date): StepRow[] {
  return [...Object.keys(definition.steps), ...Object.keys(definition.finally)].map((step, position) => {
    const kept = inherited?.steps.get(step)
    return {
      step,
      position,
      state: kept?.state ?? 'pending',
      rev: 1,
      reason:
        kept === undefined
          ? null
          : `${kept.state === 'succeeded' ? '' : `${kept.state}, `}taken over from ${inherited!.origin.id}`,
      byCondition: kept?.byCondition ?? false,
      total: 0,
      open: 0,
      failed: 0,
      cancelled: 0,
      tolerate: 0,
      outputs: kept?.outputs ?? null,
      error: null,
      startedAt: null,
      endedAt: kept === undefined ? null : now,
    }
  })
}

/** Timers of the whole run; they count from its beginning, not from when it was asked for. */
function runTimers(
  run: RunRow,
  definition: WorkflowDefinition,
  checkpointEveryMs: number | null,
  now: Date,
): readonly Timer[] {
  const timer = (kind: string, everyMs: number): Timer => {
    const dueAt = new Date(now.getTime() + everyMs)
    return { tenant: run.tenant, id: `${kind}:${run.id}`, kind, subjectId: run.id, dueAt, data: { everyMs } }
  }
  const { timeout, checkpoints } = definition
  const every = checkpoints?.every === undefined ? checkpointEveryMs : parseDuration(checkpoints.every)
  return [
    ...(timeout === undefined ? [] : [timer('run-timeout', parseDuration(timeout))]),
    ...(every === null ? [] : [timer('checkpoint', every)]),
  ]
}

/** The ids of the timers above. */
export function runTimerIds(runId: string): readonly string[] {
  return [`run-timeout:${runId}`, `checkpoint:${runId}`]
}
