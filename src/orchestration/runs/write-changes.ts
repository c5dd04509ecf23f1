import type { Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { appendEvents, lastOwnEvent } from '../../foundation/runtime/event-log.ts'
import { setTimers } from '../../foundation/runtime/timers.ts'
import type { NewBudget } from '../budgets/budget-rules-contract.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { TaskQueue, TaskRef } from '../coordinator/task-queue.ts'
import type { NewMerge } from '../merges/merges-store.ts'
import type { NewPathClaim } from '../path-leases/path-leases.ts'
import type { NewApproval, NewEventWait, RunChanges } from './run-changes.ts'
import { insertSteps, writeRuns, writeSteps } from './runs-store.ts'

export interface WriteTools {
  /** Writes the questions; the `approvals` part provides it. */
  readonly insertApprovals: (tx: Tx, approvals: readonly NewApproval[], now: Date) => Promise<void>
  /** Puts merges into their queues; the `merges` part provides it. */
  readonly insertMerges: (tx: Tx, merges: readonly NewMerge[], now: Date) => Promise<void>
  /** Claims files for tasks, and lets those begin whose files are free; the `path-leases` part provides it. */
  readonly claimPaths: (tx: Tx, claims: readonly NewPathClaim[], now: Date) => Promise<readonly Shard[]>
  /** Keeps new budgets; the `budgets` part provides it. */
  readonly insertBudgets: (tx: Tx, budgets: readonly NewBudget[]) => Promise<void>
  /** Starts the runs of tasks whose work is another workflow. */
  readonly startCalls: (tx: Tx, tasks: readonly TaskRef[], now: Date) => Promise<readonly Shard[]>
}

/**
 * Writes what a round of moves gathered. Budgets and steps first: tasks refer to them. The statements follow each other
 * on their way, without waiting for answers that nobody looks at.
 */
export async function writeChanges(
  tx: Tx,
  changes: RunChanges,
  queue: TaskQueue,
  tools: WriteTools,
  now: Date,
): Promise<readonly Shard[]> {
  insertSteps(tx, changes.newSteps)
  const events = [...changes.events, ...writeSteps(tx, changes.steps, now), ...writeRuns(tx, changes.runs, now)]
  const [{ shards, queued }] = await Promise.all([
    appendEvents(tx, events).then(() => queue.insert(tx, changes.tasks, changes.places, now)),
    tools.insertBudgets(tx, changes.budgets),
    setTimers(tx, changes.timers),
  ])
  if (changes.approvals.length > 0) await tools.insertApprovals(tx, changes.approvals, now)
  if (changes.merges.length > 0) await tools.insertMerges(tx, changes.merges, now)
  const begun = changes.claims.length === 0 ? [] : await tools.claimPaths(tx, changes.claims, now)
  await insertEventWaits(tx, changes.eventWaits, now)
  const calls = changes.calls.filter((call) => !queued.has(call.taskId))
  const ready = begun.length === 0 ? shards : [...shards, ...begun]
  return calls.length === 0 ? ready : [...ready, ...(await tools.startCalls(tx, calls, now))]
}

async function insertEventWaits(tx: Tx, waits: readonly NewEventWait[], now: Date): Promise<void> {
  if (waits.length === 0) return
  // Only what is recorded from now on ends the wait, not what this transaction has recorded so far.
  const after = await lastOwnEvent(tx)
  await tx.execute(sql`
    insert into event_waits (tenant_id, task_id, run_id, type, created_at, after_seq)
    select i.*, ${now}::timestamptz, ${after}::bigint
    from unnest(${waits.map((w) => w.tenant)}::text[], ${waits.map((w) => w.taskId)}::text[],
      ${waits.map((w) => w.runId)}::text[], ${waits.map((w) => w.type)}::text[]) as i`)
}
