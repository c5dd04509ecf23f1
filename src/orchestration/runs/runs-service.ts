import type { IdSource, RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import { transition } from '../../foundation/kernel/state-table.ts'
import { parseDuration } from '../../foundation/kernel/units.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { cancelTimersOf, setTimers, type Timer } from '../../foundation/runtime/timers.ts'
import { limitsOf, type NewBudget } from '../budgets/budget-rules-contract.ts'
import type { TaskChange } from '../coordinator/sql/change-tasks.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { TaskQueue } from '../coordinator/task-queue.ts'
import type { WorkflowDefinition } from '../workflows/workflow-contract.ts'
import type { NewSubRun } from './run-changes.ts'
import type { RunEngine } from './run-engine.ts'
import { runErrors } from './run-errors.ts'
import type { RunOriginKind, RunRow, StepRow } from './run-rows.ts'
import { findRun, insertRuns, insertSteps, lockRuns, saveRuns } from './runs-store.ts'
import { isRunEnded, runStates } from './states-contract.ts'
import { taskRange } from './task-ids.ts'
import type { WorkflowCatalog } from './workflow-catalog.ts'

export interface RepoAt {
  readonly path: string
  readonly commit: string | null
  readonly branch: string | null
}

/** A request to start a run, parsed and with its repository looked up. */
export interface RunStart {
  readonly what: { readonly name: string } | { readonly text: string; readonly fileName: string }
  readonly inputs: JsonObject
  readonly repo: RepoAt | null
  readonly priority: number | null
  readonly parallel: number | null
  readonly labels: Readonly<Record<string, string>>
}

/** Steps whose end a new run takes over instead of doing them. */
export interface Inherited {
  readonly origin: { readonly kind: RunOriginKind; readonly id: string }
  readonly steps: ReadonlyMap<
    string,
    { readonly outputs: JsonObject; readonly byCondition: boolean; readonly state: 'succeeded' | 'skipped' }
  >
}

export interface RunsServiceOptions {
  readonly database: Database
  readonly ids: IdSource
  readonly catalog: WorkflowCatalog
  readonly engine: () => RunEngine
  readonly queue: () => TaskQueue
  /** Matches new work with free slots in the same transaction. */
  readonly dispatch: (tx: Tx, shards: readonly Shard[], now: Date) => Promise<void>
  /** Keeps new budgets; the `budgets` part provides it. */
  readonly insertBudgets: (tx: Tx, budgets: readonly NewBudget[]) => Promise<void>
  /** The budget of a workflow, in the units of the ledger. */
  readonly budgetOf: (definition: WorkflowDefinition) => Parameters<typeof limitsOf>[0]
  /** Evaluates the key of a workflow's own concurrency limit. */
  readonly concurrencyOf: (
    definition: WorkflowDefinition,
    run: RunRow,
  ) => { readonly key: string; readonly limit: number } | null
}

/** Starts runs and steers them. */
export class RunsService {
  readonly #options: RunsServiceOptions

  constructor(options: RunsServiceOptions) {
    this.#options = options
  }

  async start(tenant: TenantId, start: RunStart): Promise<RunRow> {
    return this.#write(tenant, async (tx, now) => {
      const { definition, version } = await this.#options.catalog.store(tx, tenant, start.what, now)
      const inputs = this.#options.catalog.resolveInputs(definition, start.inputs)
      const run = this.#newRun(tenant, definition, version, { ...start, inputs }, null, null, now)
      return this.#begin(tx, [{ run, definition, inherited: null }], now)
    })
  }

  /** Starts a run of the same version with the same inputs that takes over what `inherited` holds. */
  async startFrom(
    tx: Tx,
    source: RunRow,
    inherited: Inherited,
    now: Date,
  ): Promise<{ run: RunRow; shards: readonly Shard[] }> {
    const definition = await this.#options.catalog.read(tx, source.tenant, source.workflow, source.version)
    const attempt = inherited.origin.kind === 'retry' ? String(Number(source.labels.attempt ?? 1) + 1) : null
    const labels = attempt === null ? source.labels : { ...source.labels, attempt }
    const run = this.#newRun(
      source.tenant,
      definition,
      source.version,
      { ...source, labels },
      inherited.origin,
      null,
      now,
    )
    return this.#begin(tx, [{ run, definition, inherited }], now)
  }

  /** Starts the runs that `workflow` steps wait for. */
  readonly startSubRuns = async (tx: Tx, wanted: readonly NewSubRun[], now: Date): Promise<readonly Shard[]> => {
    const parents = await lockRuns(tx, wanted)
    const shards: Shard[] = []
    for (const item of wanted) {
      const parent = parents.find((run) => run.tenant === item.tenant && run.id === item.runId)!
      const { definition, version } = await this.#options.catalog.store(tx, item.tenant, { name: item.workflow }, now)
      const inputs = this.#options.catalog.resolveInputs(definition, item.inputs as JsonObject)
      const origin = { kind: 'sub-run', id: parent.id } as const
      const run = this.#newRun(item.tenant, definition, version, { ...parent, inputs }, origin, item.taskId, now)
      shards.push(...(await this.#begin(tx, [{ run, definition, inherited: null }], now)).shards)
    }
    return shards
  }

  async cancel(tenant: TenantId, id: string, reason: string): Promise<RunRow> {
    return this.#steer(tenant, id, async (tx, run, now) => {
      transition(runStates, `run ${id}`, run.state, 'cancel')
      if (run.state === 'pending') {
        const ended = {
          ...run,
          state: 'cancelled' as const,
          cancelRequested: true,
          outcome: 'cancelled' as const,
          endedAt: now,
          error: { code: 'cancelled', message: reason },
        }
        await saveRuns(tx, [ended], now)
        return []
      }
      const state = run.state === 'paused' ? transition(runStates, `run ${id}`, run.state, 'resume') : run.state
      await saveRuns(
        tx,
        [{ ...run, state, cancelRequested: true, error: run.error ?? { code: 'cancelled', message: reason } }],
        now,
      )
      return this.#cancelTasks(tx, run, reason, now)
    })
  }

  /** Ends a run whose own time is up: as a cancellation, but the outcome is a failure. */
  async timeOut(tx: Tx, tenant: TenantId, id: string, now: Date): Promise<void> {
    const [run] = await lockRuns(tx, [{ tenant, runId: id as RunId }])
    if (run === undefined || isRunEnded(run.state) || run.outcome !== null) return
    const message = 'the run took longer than its timeout'
    const state = run.state === 'paused' ? 'running' : run.state
    await saveRuns(tx, [{ ...run, state, cancelRequested: true, error: { code: 'timeout', message } }], now)
    await this.#options.dispatch(tx, await this.#cancelTasks(tx, run, message, now), now)
  }

  async pause(tenant: TenantId, id: string): Promise<RunRow> {
    return this.#steer(tenant, id, async (tx, run, now) => {
      const state = transition(runStates, `run ${id}`, run.state, 'pause')
      await saveRuns(tx, [{ ...run, state }], now)
      const range = taskRange(id)
      const ready = await tx.query<{ id: string }>(sql`
        select id from tasks
        where tenant_id = ${tenant} and id >= ${range.from} and id < ${range.to} and state || '' = 'ready' order by id`)
      const changes = ready.map(
        (task): TaskChange => ({
          tenant,
          taskId: task.id,
          fence: null,
          event: 'hold',
          to: 'waiting',
          reason: `paused:${id}`,
        }),
      )
      return (await this.#options.queue().change(tx, changes, now)).shards
    })
  }

  async resume(tenant: TenantId, id: string): Promise<RunRow> {
    return this.#steer(tenant, id, async (tx, run, now) => {
      const state = transition(runStates, `run ${id}`, run.state, 'resume')
      await saveRuns(tx, [{ ...run, state, startedAt: run.startedAt ?? now }], now)
      const range = taskRange(id)
      const held = await tx.query<{ id: string }>(sql`
        select id from tasks
        where tenant_id = ${tenant} and id >= ${range.from} and id < ${range.to} and state || '' = 'waiting' and reason = ${`paused:${id}`}
        order by id`)
      const changes = held.map(
        (task): TaskChange => ({ tenant, taskId: task.id, fence: null, event: 'admit', to: 'ready' }),
      )
      const { shards } = await this.#options.queue().change(tx, changes, now)
      return [...shards, ...(await this.#options.engine().advance(tx, [{ tenant, runId: run.id }], now))]
    })
  }

  /** What follows from the end of runs: a parent's task ends, places under a workflow's own limit go to the next run. */
  readonly runsEnded = async (tx: Tx, runs: readonly RunRow[], now: Date): Promise<readonly Shard[]> => {
    const shards: Shard[] = []
    const changes = runs.flatMap((run): TaskChange[] => {
      if (run.parentTask === null) return []
      const base = { tenant: run.tenant, taskId: run.parentTask, fence: null }
      if (run.state === 'succeeded') return [{ ...base, event: 'succeed', to: 'succeeded', output: run.outputs }]
      const reason = `run ${run.id} was ${run.state}: ${run.error?.message ?? ''}`
      if (run.state === 'cancelled') return [{ ...base, event: 'cancel', to: 'cancelled', reason }]
      return [
        { ...base, event: 'fail', to: 'failed', reason, error: { code: run.error?.code ?? 'failed', message: reason } },
      ]
    })
    if (changes.length > 0) shards.push(...(await this.#options.queue().change(tx, changes, now)).shards)
    const limited = runs.filter((run) => run.concurrencyKey !== null)
    if (limited.length > 0) {
      await this.#options.queue().givePlacesBack(
        tx,
        limited.map((run) => ({ tenant: run.tenant, keys: [run.concurrencyKey!] })),
      )
      for (const run of limited) shards.push(...(await this.#startNext(tx, run.tenant, run.concurrencyKey!, now)))
    }
    await this.#options.queue().forgetPlaces(
      tx,
      runs.map((run) => ({ tenant: run.tenant, runId: run.id })),
    )
    await cancelTimersOf(
      tx,
      runs.map((run) => ({ tenant: run.tenant, subjectId: run.id })),
    )
    return shards
  }

  async #startNext(tx: Tx, tenant: TenantId, key: string, now: Date): Promise<readonly Shard[]> {
    const [next] = await tx.query<{ id: RunId }>(sql`
      select id from runs where tenant_id = ${tenant} and concurrency_key = ${key} and state = 'pending'
      order by created_at, id limit 1 for update skip locked`)
    if (next === undefined) return []
    if (!(await this.#options.queue().takePlace(tx, { tenant, key }))) return []
    const [run] = await lockRuns(tx, [{ tenant, runId: next.id }])
    await saveRuns(tx, [{ ...run!, state: 'running', startedAt: now }], now)
    return this.#options.engine().advance(tx, [{ tenant, runId: next.id }], now)
  }

  async #cancelTasks(tx: Tx, run: RunRow, reason: string, now: Date): Promise<readonly Shard[]> {
    const { tenant, id } = run
    const range = taskRange(id)
    // Leased work ends when its runner has stopped the processes; the rest ends now.
    const runners = await tx.query<{ runner_id: string }>(sql`
      update tasks set cancel_reason = ${reason}
      where tenant_id = ${tenant} and id >= ${range.from} and id < ${range.to} and state || '' in ('leased', 'running')
      returning runner_id`)
    this.#hintRunners(
      tx,
      runners.map((row) => row.runner_id),
    )
    const idle = await tx.query<{ id: string; kind: string }>(sql`
      select id, spec->>'kind' as kind from tasks
      where tenant_id = ${tenant} and id >= ${range.from} and id < ${range.to} and state || '' in ('ready', 'waiting') order by id`)
    const children = await tx.query<{ id: string }>(sql`
      select id from runs where tenant_id = ${tenant} and parent_task = any (${idle.map((task) => task.id)}::text[]) and ended_at is null order by id`)
    const changes = idle.map(
      (task): TaskChange => ({ tenant, taskId: task.id, fence: null, event: 'cancel', to: 'cancelled', reason }),
    )
    const { shards } = await this.#options.queue().change(tx, changes, now)
    for (const child of children) await this.#cancelChild(tx, tenant, child.id as RunId, reason, now)
    return [...shards, ...(await this.#options.engine().advance(tx, [{ tenant, runId: id }], now))]
  }

  async #cancelChild(tx: Tx, tenant: TenantId, id: RunId, reason: string, now: Date): Promise<void> {
    const [child] = await lockRuns(tx, [{ tenant, runId: id }])
    if (child === undefined || isRunEnded(child.state)) return
    await saveRuns(
      tx,
      [
        {
          ...child,
          state: child.state === 'paused' ? 'running' : child.state,
          cancelRequested: true,
          error: { code: 'cancelled', message: reason },
        },
      ],
      now,
    )
    await this.#cancelTasks(tx, child, reason, now)
  }

  #hintRunners(tx: Tx, runnerIds: readonly string[]): void {
    tx.afterCommit(() => {
      for (const id of new Set(runnerIds)) this.#options.database.notify(`lv_runner_${id}`)
    })
  }

  async #steer(
    tenant: TenantId,
    id: string,
    act: (tx: Tx, run: RunRow, now: Date) => Promise<readonly Shard[]>,
  ): Promise<RunRow> {
    return this.#write(tenant, async (tx, now) => {
      const [run] = await lockRuns(tx, [{ tenant, runId: id as RunId }])
      if (run === undefined) throw runErrors['run-not-found'](`there is no run ${id}`)
      const shards = await act(tx, run, now)
      return { run: (await findRun(tx, tenant, id))!, shards }
    })
  }

  /** One transaction of the tenant in which what becomes ready is dispatched at once. */
  async #write(
    tenant: TenantId,
    fn: (tx: Tx, now: Date) => Promise<{ run: RunRow; shards: readonly Shard[] }>,
  ): Promise<RunRow> {
    const { database, dispatch } = this.#options
    return database.forTenant(tenant).write(async (tx) => {
      const now = database.clock.now()
      const { run, shards } = await fn(tx, now)
      await dispatch(tx, shards, now)
      return (await findRun(tx, tenant, run.id))!
    })
  }

  /** Refuses the name of a step that the workflow does not have. */
  requireStep(definition: WorkflowDefinition, step: string | null): void {
    if (step === null || Object.hasOwn(definition.steps, step) || Object.hasOwn(definition.finally, step)) return
    const known = [...Object.keys(definition.steps), ...Object.keys(definition.finally)].join(', ')
    throw runErrors['step-unknown'](`workflow ${definition.name} has no step ${step}; it has ${known}`)
  }

  /** Runs `fn` as above, for the parts that start or move runs on (approvals, checkpoints). */
  readonly write = this.#write.bind(this)

  async #begin(
    tx: Tx,
    runs: readonly {
      readonly run: RunRow
      readonly definition: WorkflowDefinition
      readonly inherited: Inherited | null
    }[],
    now: Date,
  ): Promise<{ run: RunRow; shards: readonly Shard[] }> {
    const placed = new Map<string, RunRow>()
    for (const { run, definition } of runs) {
      const limit = this.#options.concurrencyOf(definition, run)
      if (limit === null) {
        placed.set(run.id, { ...run, state: 'running', startedAt: now })
        continue
      }
      const key = `workflow:${limit.key}`
      const got = await this.#options.queue().takePlace(tx, { tenant: run.tenant, key, max: limit.limit })
      placed.set(
        run.id,
        !got ? { ...run, concurrencyKey: key } : { ...run, concurrencyKey: key, state: 'running', startedAt: now },
      )
    }
    const rows = [...placed.values()]
    await insertRuns(tx, rows)
    await insertSteps(
      tx,
      runs.flatMap(({ run, definition, inherited }) =>
        stepRows(definition, inherited, now).map((row) => ({ tenant: run.tenant, runId: run.id, row })),
      ),
    )
    await this.#options.insertBudgets(
      tx,
      runs.flatMap(({ run, definition }) =>
        limitsOf(this.#options.budgetOf(definition)).map(({ unit, limit }) => ({
          tenant: run.tenant,
          id: `run:${run.id}:${unit}`,
          scope: 'run' as const,
          scopeId: run.id,
          unit,
          hardLimit: limit,
        })),
      ),
    )
    await setTimers(
      tx,
      runs.flatMap(({ run, definition }) => runTimers(run, definition, now)),
    )
    const started = rows.filter((run) => run.state === 'running').map((run) => ({ tenant: run.tenant, runId: run.id }))
    return { run: rows[0]!, shards: await this.#options.engine().advance(tx, started, now) }
  }

  #newRun(
    tenant: TenantId,
    definition: WorkflowDefinition,
    version: number,
    from: Pick<RunRow, 'inputs' | 'repo' | 'priority' | 'parallel' | 'labels'>,
    origin: RunRow['origin'],
    parentTask: string | null,
    now: Date,
  ): RunRow {
    return {
      tenant,
      id: this.#options.ids.next<RunId>('run'),
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
      origin,
      parentTask,
      cancelRequested: false,
      outcome: null,
      createdAt: now,
      startedAt: null,
      endedAt: null,
    }
  }
}

function stepRows(definition: WorkflowDefinition, inherited: Inherited | null, now: Date): StepRow[] {
  return [...Object.keys(definition.steps), ...Object.keys(definition.finally)].map((step, position) => {
    const kept = inherited?.steps.get(step)
    return {
      step,
      position,
      state: kept?.state ?? 'pending',
      rev: 1,
      reason: kept === undefined ? null : `taken over from ${inherited!.origin.id}`,
      byCondition: kept?.byCondition ?? false,
      total: 0,
      open: 0,
      failed: 0,
      tolerate: 0,
      outputs: kept?.outputs ?? null,
      error: null,
      startedAt: null,
      endedAt: kept === undefined ? null : now,
    }
  })
}

function runTimers(run: RunRow, definition: WorkflowDefinition, now: Date) {
  const timers: Timer[] = []
  const at = (ms: number) => new Date(now.getTime() + ms)
  if (definition.timeout !== undefined) {
    timers.push({
      tenant: run.tenant,
      id: `run-timeout:${run.id}`,
      kind: 'run-timeout',
      subjectId: run.id,
      dueAt: at(parseDuration(definition.timeout)),
    })
  }
  if (definition.checkpoints?.every !== undefined) {
    timers.push({
      tenant: run.tenant,
      id: `checkpoint:${run.id}`,
      kind: 'checkpoint',
      subjectId: run.id,
      dueAt: at(parseDuration(definition.checkpoints.every)),
      data: { everyMs: parseDuration(definition.checkpoints.every) },
    })
  }
  return timers
}
