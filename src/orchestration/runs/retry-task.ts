import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { TaskChange } from '../coordinator/sql/change-tasks.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { TaskQueue } from '../coordinator/task-queue.ts'
import { findTask, type NamedTask } from './find-task.ts'
import { type EndedStep, stepsBeside } from './inherit-steps.ts'
import type { Retry } from './retry-run.ts'
import { runErrors } from './run-errors.ts'
import type { RunRow } from './run-rows.ts'
import { snapshotRun } from './run-snapshots.ts'
import { isRunEnded } from './states-contract.ts'
import { taskRange } from './task-ids-contract.ts'

export interface TaskRetry extends Omit<Retry, 'from'> {
  /** The task to be done again: its id, or `step`, `step[3]`. */
  readonly task: string
  readonly queue: TaskQueue
}

/**
 * Starts a run that does one task of an ended run again, and what depends on it. All other steps stand in it as they ended,
 * badly too; of a map the other items do. `finally` steps are always done again.
 * Errors: `run-not-found`, `run-not-ended`, `task-not-found`, `item-not-alone`.
 */
export async function retryTask(
  tx: Tx,
  retry: TaskRetry,
  now: Date,
): Promise<{ readonly run: RunRow; readonly shards: readonly Shard[] }> {
  const { source, task: name, id, runs, catalog, requestedBy, queue } = retry
  const ref = { tenant: source.tenant, runId: source.id }
  const snapshot = await snapshotRun(tx, ref, async () => [])
  if (snapshot === null) throw runErrors['run-not-found'](`there is no run ${source.id}`)
  if (!isRunEnded(snapshot.run.state)) throw runErrors['run-not-ended'](`run ${source.id} is ${snapshot.run.state}`)
  const task = await findTask(tx, ref, name)
  const definition = await catalog.read(tx, source.tenant, source.workflow, source.version)
  runs.requireStep(definition, task.step)
  const again = new Set([...Object.keys(definition.finally), task.step])
  const steps = stepsBeside(snapshot.document.steps as readonly EndedStep[], retry.graphOf(definition), again)
  const begun = await runs.startFrom(
    tx,
    snapshot.run,
    { origin: { kind: 'retry', id: source.id }, steps },
    now,
    id,
    requestedBy,
  )
  if (task.item === null) return begun
  const kept = await takeItemsOver(tx, begun.run, { source, task, queue }, now)
  return { run: begun.run, shards: [...begun.shards, ...kept] }
}

interface Items {
  readonly source: RunRow
  readonly task: NamedTask
  readonly queue: TaskQueue
}

/** The other items of the map end as they did, before anybody could have taken them: in the transaction that made them. */
async function takeItemsOver(
  tx: Tx,
  run: RunRow,
  { source, task, queue }: Items,
  now: Date,
): Promise<readonly Shard[]> {
  const { tenant } = source
  // Steps need not stand at the same positions in both runs, so that the ids of their tasks do not match.
  const former = await itemsOf(tx, tenant, source.id, task.step)
  const made = new Map((await itemsOf(tx, tenant, run.id, task.step)).map((row) => [row.item, row]))
  if (made.size !== former.length || former.some((row) => !made.has(row.item))) {
    const why = made.size === 0 ? 'its run has not begun yet' : 'the list of the map is another one now'
    throw runErrors['item-not-alone'](`${task.step}[${task.item}] cannot be repeated alone: ${why}`)
  }
  const others = former.filter((row) => row.item !== task.item)
  const changeOf = (item: number) => ({ tenant, taskId: made.get(item)!.id, fence: null })
  const reason = (state: string) => `${state} in ${source.id}, from which it was taken over`
  const waiting = others.filter((row) => made.get(row.item)!.state === 'ready' && row.state === 'succeeded')
  const hold = waiting.map(({ item }): TaskChange => {
    return { ...changeOf(item), event: 'hold', to: 'waiting', reason: 'taken over' }
  })
  const ends = others.map(({ item, state, output, error }): TaskChange => {
    const base = { ...changeOf(item), reason: reason(state) }
    if (state === 'succeeded') return { ...base, event: 'succeed', to: 'succeeded', output }
    if (state === 'cancelled') return { ...base, event: 'cancel', to: 'cancelled' }
    return { ...base, event: 'fail', to: 'failed', ...(error === null ? {} : { error }) }
  })
  await queue.change(tx, hold, now)
  return (await queue.change(tx, ends, now)).shards
}

interface Item {
  readonly id: string
  readonly item: number
  readonly state: string
  readonly output: JsonValue
  readonly error: JsonValue
}

function itemsOf(tx: Tx, tenant: TenantId, runId: string, step: string): Promise<readonly Item[]> {
  const range = taskRange(runId)
  return tx.query<Item>(sql`
    select id, item, state, output, error from tasks
    where tenant_id = ${tenant} and id >= ${range.from} and id < ${range.to} and step = ${step} and item is not null
    order by item`)
}
