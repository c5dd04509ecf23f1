import { type AppError, isAppError } from '../../foundation/kernel/errors.ts'
import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { Random } from '../../foundation/kernel/random.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { setTimers } from '../../foundation/runtime/timers.ts'
import type { TaskChange } from '../coordinator/sql/change-tasks.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { TaskQueue, TaskRef } from '../coordinator/task-queue.ts'
import type { AttemptError } from '../runners/exchange-contract.ts'
import type { ResolvedRetry, ResolvedTask, ResolvedWorkflowCall } from '../workflows/task-contract.ts'
import { pinnedVersion } from './pinned-calls.ts'
import { runErrors } from './run-errors.ts'
import type { RunRow } from './run-rows.ts'
import type { RunStarter } from './run-starter.ts'
import { callersOf, findRun } from './runs-store.ts'
import type { WorkflowCatalog } from './workflow-catalog.ts'

export interface CallsOptions {
  readonly catalog: WorkflowCatalog
  readonly starter: RunStarter
  readonly queue: () => TaskQueue
  readonly random: Random
  /** What these tasks are to do, by task id; the `coordinator` part provides it. */
  readonly specsOf: (tx: Tx, tasks: readonly TaskRef[]) => Promise<ReadonlyMap<string, ResolvedTask>>
  /** Whether a failed attempt is followed by another, and when; the `coordinator` part provides it. */
  readonly afterAttempt: (
    ended: { readonly outcome: 'failed'; readonly error: AttemptError; readonly attempt: number },
    retry: ResolvedRetry,
    random: Random,
  ) => { readonly retryInMs: number | null }
}

/** Runs that call runs that call runs: more levels than this are taken for a circle. */
const mostLevels = 10

/** `workflow` steps: their task waits for a run of another workflow. */
export class Calls {
  readonly #options: CallsOptions

  constructor(options: CallsOptions) {
    this.#options = options
  }

  /** Starts the run of each task. Where that is refused the task fails, and nothing else. */
  readonly start = async (tx: Tx, tasks: readonly TaskRef[], now: Date): Promise<readonly Shard[]> => {
    const rows = await tx.query<CallRow>(sql`
      select t.tenant_id as tenant, t.id as "taskId", t.run_id as "runId" from unnest(${tasks.map((t) => t.tenant)}::text[],
        ${tasks.map((t) => t.taskId)}::text[]) as w(tenant_id, id)
      join tasks t on t.tenant_id = w.tenant_id and t.id = w.id
      where t.state || '' = 'waiting' order by t.tenant_id, t.id`)
    const specs = await this.#options.specsOf(tx, rows)
    const shards: Shard[] = []
    const failures: TaskChange[] = []
    for (const row of rows) {
      try {
        const spec = specs.get(row.taskId) as ResolvedWorkflowCall
        shards.push(...(await this.#startOne(tx, row, spec, now)))
      } catch (error) {
        if (!isAppError(error) || error.kind === 'unavailable' || error.kind === 'internal') throw error
        failures.push(failureOf(row, error))
      }
    }
    if (failures.length > 0) shards.push(...(await this.#options.queue().change(tx, failures, now)).shards)
    return shards
  }

  /** Ends the tasks that waited for these runs, or lets them wait for another attempt. */
  async ended(tx: Tx, runs: readonly RunRow[], now: Date): Promise<readonly Shard[]> {
    const called = runs.filter((run) => run.parentTask !== null)
    if (called.length === 0) return []
    const specs = await this.#specsOf(tx, called)
    const retries: { readonly tenant: TenantId; readonly taskId: string; readonly inMs: number }[] = []
    const changes = called.map((run): TaskChange => {
      const base = { tenant: run.tenant, taskId: run.parentTask!, fence: null }
      if (run.state === 'succeeded') return { ...base, event: 'succeed', to: 'succeeded', output: run.outputs }
      const reason = `run ${run.id} was ${run.state}: ${run.error?.message ?? ''}`
      if (run.state === 'cancelled') return { ...base, event: 'cancel', to: 'cancelled', reason }
      const error = { code: run.error?.code ?? 'failed', message: reason }
      const spec = specs.get(run.parentTask!)
      const ended = { outcome: 'failed', error: { ...error, retry: 'never' }, attempt: attemptOf(run) } as const
      const retryInMs =
        spec === undefined ? null : this.#options.afterAttempt(ended, spec.retry, this.#options.random).retryInMs
      if (retryInMs === null) return { ...base, event: 'fail', to: 'failed', reason, error }
      retries.push({ tenant: run.tenant, taskId: run.parentTask!, inMs: retryInMs })
      return { ...base, event: 'hold', to: 'waiting', reason: 'back-off', error }
    })
    const { shards } = await this.#options.queue().change(tx, changes, now)
    await setTimers(
      tx,
      retries.map(({ tenant, taskId, inMs }) => {
        const dueAt = new Date(now.getTime() + inMs)
        return { tenant, id: `retry:${taskId}`, kind: 'task-retry', subjectId: taskId, dueAt }
      }),
    )
    return shards
  }

  async #startOne(tx: Tx, row: CallRow, spec: ResolvedWorkflowCall, now: Date): Promise<readonly Shard[]> {
    const { tenant, taskId, runId } = row
    const parent = (await findRun(tx, tenant, runId))!
    const callers = await callersOf(tx, parent)
    if (callers.length + 1 >= mostLevels) {
      throw runErrors['calls-too-deep'](`${parent.workflow} calls ${spec.workflow} ${mostLevels} levels deep`)
    }
    const { catalog, starter } = this.#options
    const pinned = await pinnedVersion(tx, tenant, callers.at(-1)?.id ?? parent.id, spec.workflow)
    const { definition, version } =
      pinned === null
        ? await catalog.store(tx, tenant, { name: spec.workflow }, now)
        : { definition: await catalog.read(tx, tenant, spec.workflow, pinned), version: pinned }
    const inputs = catalog.resolveInputs(definition, spec.inputs as JsonObject)
    const { attempt: _, ...labels } = parent.labels
    const attempt = (await lastAttemptOf(tx, row)) + 1
    const from = { ...parent, inputs, labels: attempt === 1 ? labels : { ...labels, attempt: String(attempt) } }
    const caller = { run: parent.id, task: taskId, budget: spec.budget }
    const begun = await starter.begin(tx, { tenant, definition, version, from, caller }, now)
    if (spec.timeoutMs !== null && attempt === 1) {
      const dueAt = new Date(now.getTime() + spec.timeoutMs)
      await setTimers(tx, [{ tenant, id: `timeout:${taskId}`, kind: 'task-timeout', subjectId: taskId, dueAt }])
    }
    return begun.shards
  }

  /** What the callers of failed runs say about another attempt; a caller that is being cancelled makes none. */
  async #specsOf(tx: Tx, runs: readonly RunRow[]): Promise<ReadonlyMap<string, ResolvedWorkflowCall>> {
    const failed = runs.filter((run) => run.state === 'failed')
    if (failed.length === 0) return new Map()
    const rows = await tx.query<CallRow>(sql`
      select t.tenant_id as tenant, t.id as "taskId", t.run_id as "runId" from unnest(${failed.map((r) => r.tenant)}::text[],
        ${failed.map((r) => r.parentTask)}::text[]) as w(tenant_id, id)
      join tasks t on t.tenant_id = w.tenant_id and t.id = w.id
      join runs r on r.tenant_id = t.tenant_id and r.id = t.run_id and not r.cancel_requested`)
    return (await this.#options.specsOf(tx, rows)) as ReadonlyMap<string, ResolvedWorkflowCall>
  }
}

interface CallRow extends TaskRef {
  readonly runId: RunId
}

function attemptOf(run: RunRow): number {
  return Number(run.labels.attempt ?? 1)
}

function failureOf(row: CallRow, error: AppError): TaskChange {
  const { code, message } = error
  return {
    tenant: row.tenant,
    taskId: row.taskId,
    fence: null,
    event: 'fail',
    to: 'failed',
    reason: message,
    error: { code, message },
  }
}

async function lastAttemptOf(tx: Tx, row: CallRow): Promise<number> {
  const [last] = await tx.query<{ attempt: number }>(sql`
    select coalesce(max(coalesce(labels->>'attempt', '1')::int), 0) as attempt from runs
    where tenant_id = ${row.tenant} and parent_task = ${row.taskId}`)
  return last!.attempt
}
