import type { Tx } from '../../foundation/platform/database/database.ts'
import { fitToBudgets } from './fit-to-budgets.ts'
import type { TaskChange } from './sql/change-tasks.ts'
import type { Shard } from './sql/find-lanes.ts'
import { shortenTasks, type UnservedTask, unservedTasks } from './sql/unserved-tasks.ts'
import { waitingReasons } from './sql/waiting-reasons.ts'
import type { Admissible, TaskQueue } from './task-queue.ts'

/** How many tasks of one budget are looked at. */
const lookBatch = 100

/**
 * Looks after tasks that nothing else will wake: those that wait for a place that is free, and those that wait for a
 * budget of which nobody holds anything. Of the latter some fit after all (who freed it did not see them yet), some fit
 * with less time, and the rest never will.
 */
export async function relieveWaiting(tx: Tx, queue: TaskQueue, now: Date): Promise<readonly Shard[]> {
  const keys = (await waitingReasons(tx, 'concurrency')).map(({ tenant, name }) => ({ tenant, key: name }))
  const shards = [...(await queue.wakeForPlaces(tx, keys, now))]
  const tasks = await unservedTasks(tx, await waitingReasons(tx, 'budget'), lookBatch)
  const { admitted, shortened, exhausted } = judge(tasks)
  shards.push(...(await queue.change(tx, exhausted, now)).shards)
  await shortenTasks(tx, shortened)
  shards.push(...(await queue.admit(tx, admitted, now)))
  return shards
}

function judge(tasks: readonly UnservedTask[]) {
  const admitted: Admissible[] = []
  const shortened: Parameters<typeof shortenTasks>[1][number][] = []
  const exhausted: TaskChange[] = []
  const shortenedFor = new Set<string>()
  for (const { tenant, taskId, waitsFor, timeoutMs, budgets } of tasks) {
    const fit = fitToBudgets(timeoutMs, budgets)
    if (fit.kind === 'waits') continue
    if (fit.kind === 'exhausted') {
      const { unit, scope, limit, left } = fit.budget
      const message = `of the ${unit} budget of its ${scope}, ${left} of ${limit} are left, and an attempt needs ${fit.needed}`
      const error = { code: 'budget-exhausted', message }
      exhausted.push({ tenant, taskId, fence: null, event: 'fail', to: 'failed', reason: message, error })
      continue
    }
    if (fit.kind === 'shorten') {
      // What is left goes to the oldest; the others see what that leaves of it.
      const key = `${tenant}/${waitsFor}`
      if (shortenedFor.has(key)) continue
      shortenedFor.add(key)
      shortened.push({ tenant, taskId, timeoutMs: fit.timeoutMs, holds: fit.holds })
    }
    admitted.push({ tenant, taskId, isCall: false })
  }
  return { admitted, shortened, exhausted }
}
