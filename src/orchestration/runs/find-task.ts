import type { TaskId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { runErrors } from './run-errors.ts'
import type { RunRef } from './run-rows.ts'
import type { TaskState } from './states-contract.ts'
import { taskRange } from './task-ids-contract.ts'

export interface NamedTask {
  readonly id: TaskId
  readonly step: string
  readonly item: number | null
  readonly state: TaskState
}

const placePattern = /^(.+?)(?:\[(\d{1,9})\])?$/

/**
 * A task of a run by its id, or by its place: `step`, `step[3]`. Of a step that had several the latest is meant.
 * Errors: `task-not-found`.
 */
export async function findTask(tx: ReadTx, ref: RunRef, name: string): Promise<NamedTask> {
  const range = taskRange(ref.runId)
  const [, step = name, item] = placePattern.exec(name) ?? []
  const [task] = await tx.query<NamedTask>(sql`
    select id, step, item, state from tasks
    where tenant_id = ${ref.tenant} and id >= ${range.from} and id < ${range.to}
      and (id = ${name} or (step = ${step} and item is not distinct from ${item === undefined ? null : Number(item)}::int))
    order by id = ${name} desc, created_at desc, id desc limit 1`)
  if (task === undefined) throw runErrors['task-not-found'](`run ${ref.runId} has no task ${name}`)
  return task
}
