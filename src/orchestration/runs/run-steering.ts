import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import { transition } from '../../foundation/kernel/state-table.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { cancelTimers } from '../../foundation/runtime/timers.ts'
import type { TaskChange } from '../coordinator/sql/change-tasks.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { TaskQueue } from '../coordinator/task-queue.ts'
import type { Calls } from './calls.ts'
import { cancelTask } from './cancel-task.ts'
import type { NamedTask } from './find-task.ts'
import type { RunEngine } from './run-engine.ts'
import { keyOf, type RunRef, type RunRow } from './run-rows.ts'
import { type RunStarter, runTimerIds } from './run-starter.ts'
import {
  idleTasks,
  lockOpenTasks,
  lockUpcoming,
  openCalls,
  pausedQueueReason,
  pausedReason,
  pausedTasks,
  requestCancel,
} from './run-tasks-store.ts'
import { lockRuns, readSteps, saveRuns, saveSteps } from './runs-store.ts'
import { isRunEnded, isTaskEnded, runStates } from './states-contract.ts'
import { withdrawLeases } from './withdraw-leases.ts'

export interface RunSteeringOptions {
  readonly engine: () => RunEngine
  readonly queue: () => TaskQueue
  readonly starter: RunStarter
  readonly calls: Calls
  /** Tells runners after the commit that there are attempts to end. */
  readonly wakeRunners: (tx: Tx, runnerIds: readonly string[]) => void
}

/** Cancels, pauses and resumes runs with what belongs to them. Callers hold the locks that `lock` takes. */
export class RunSteering {
  readonly #options: RunSteeringOptions

  constructor(options: RunSteeringOptions) {
    this.#options = options
  }

  /** Locks runs for being steered: first the open tasks of them and of the runs they wait for, then the runs. */
  async lock(tx: Tx, refs: readonly RunRef[]): Promise<readonly RunRow[]> {
    const tree = [...refs]
    for (const ref of tree) {
      const calls = await openCalls(tx, ref)
      tree.push(...calls.map((runId) => ({ tenant: ref.tenant, runId })))
    }
    await lockOpenTasks(tx, tree)
    return lockRuns(tx, refs)
  }

  async cancel(tx: Tx, run: RunRow, error: NonNullable<RunRow['error']>, now: Date): Promise<readonly Shard[]> {
    transition(runStates, `run ${run.id}`, run.state, 'cancel')
    if (run.startedAt === null) return this.#endUnstarted(tx, run, error, now)
    const state = run.state === 'paused' ? transition(runStates, `run ${run.id}`, run.state, 'resume') : run.state
    await saveRuns(tx, [{ ...run, state, cancelRequested: true, error: run.error ?? error }], now)
    const { tenant, id } = run
    const ref = { tenant, runId: id }
    this.#options.wakeRunners(tx, await requestCancel(tx, ref, error.message))
    const changes = (await idleTasks(tx, ref)).map(
      (taskId): TaskChange => ({
        tenant,
        taskId,
        fence: null,
        event: 'cancel',
        to: 'cancelled',
        reason: error.message,
      }),
    )
    const { shards } = await this.#options.queue().change(tx, changes, now)
    return [...shards, ...(await this.#options.engine().advance(tx, [ref], now))]
  }

  /** Cancels one of its tasks. */
  cancelTask(tx: Tx, tenant: TenantId, task: NamedTask, reason: string, now: Date): Promise<readonly Shard[]> {
    return cancelTask(tx, tenant, task, reason, this.#options, now)
  }

  /** Ends a run whose own time is up: as a cancellation, but the outcome is a failure. `finally` steps have their own time. */
  async timeOut(tx: Tx, tenant: TenantId, runId: string, now: Date): Promise<readonly Shard[]> {
    const [run] = await this.lock(tx, [{ tenant, runId: runId as RunId }])
    if (run === undefined || isRunEnded(run.state) || run.outcome !== null) return []
    const error = { code: 'timeout', message: 'the run took longer than its timeout' }
    return this.cancel(tx, { ...run, error }, error, now)
  }

  /** Cancels the runs of these ids that are still open. */
  async cancelOpen(tx: Tx, refs: readonly RunRef[], reason: string, now: Date): Promise<readonly Shard[]> {
    const shards: Shard[] = []
    for (const run of await this.lock(tx, refs)) {
      if (!isRunEnded(run.state))
        shards.push(...(await this.cancel(tx, run, { code: 'cancelled', message: reason }, now)))
    }
    return shards
  }

  async pause(tx: Tx, run: RunRow, now: Date): Promise<readonly Shard[]> {
    const state = transition(runStates, `run ${run.id}`, run.state, 'pause')
    await saveRuns(tx, [{ ...run, state }], now)
    const { tenant, id } = run
    const ref = { tenant, runId: id }
    const changes = (await lockUpcoming(tx, ref)).map((task): TaskChange => {
      const reason = task.reason?.startsWith('concurrency:') ? pausedQueueReason(id) : pausedReason(id)
      return { tenant, taskId: task.id, fence: null, event: 'hold', to: 'waiting', reason }
    })
    const shards = [...(await this.#options.queue().change(tx, changes, now)).shards]
    for (const call of await this.#callsOf(tx, ref)) {
      if (call.state !== 'paused') shards.push(...(await this.pause(tx, call, now)))
    }
    return shards
  }

  /** Takes back what agents work on of paused runs; `withdrawLeases` tells more. */
  withdraw(tx: Tx, runs: readonly RunRow[], why: string, now: Date): ReturnType<typeof withdrawLeases> {
    return withdrawLeases(tx, runs, why, this.#options, now)
  }

  async resume(tx: Tx, run: RunRow, now: Date): Promise<readonly Shard[]> {
    const { tenant, id } = run
    const ref = { tenant, runId: id }
    if (run.startedAt === null) {
      await saveRuns(tx, [{ ...run, state: transition(runStates, `run ${id}`, run.state, 'requeue') }], now)
      return this.#options.starter.startNext(tx, tenant, run.concurrencyKey!, now)
    }
    await saveRuns(tx, [{ ...run, state: transition(runStates, `run ${id}`, run.state, 'resume') }], now)
    const tasks = (await pausedTasks(tx, ref)).map(({ id: taskId, concurrency, reason, isCall }) => {
      return { tenant, taskId, keys: concurrency, isCall, placed: reason === pausedReason(id) }
    })
    const queue = this.#options.queue()
    const shards = [
      ...(await queue.admit(
        tx,
        tasks.filter((task) => task.placed),
        now,
      )),
    ]
    shards.push(
      ...(
        await queue.seekPlaces(
          tx,
          tasks.filter((task) => !task.placed),
          now,
        )
      ).shards,
    )
    for (const call of await this.#callsOf(tx, ref)) {
      if (call.state === 'paused') shards.push(...(await this.resume(tx, call, now)))
    }
    return [...shards, ...(await this.#options.engine().advance(tx, [ref], now))]
  }

  /** What follows from the end of runs: a caller's task ends, the place under a workflow's limit goes to the next run. */
  readonly runsEnded = async (tx: Tx, runs: readonly RunRow[], now: Date): Promise<readonly Shard[]> => {
    const { queue, starter, calls } = this.#options
    const shards = [...(await calls.ended(tx, runs, now))]
    const placed = runs.filter((run) => run.concurrencyKey !== null && run.startedAt !== null)
    if (placed.length > 0) {
      const freed = placed.map((run) => ({ tenant: run.tenant, keys: [run.concurrencyKey!] }))
      await queue().givePlacesBack(tx, freed)
      for (const { tenant, keys } of freed) shards.push(...(await starter.startNext(tx, tenant, keys[0]!, now)))
    }
    const refs = runs.map((run) => ({ tenant: run.tenant, runId: run.id }))
    await queue().forgetPlaces(tx, refs)
    await cancelTimers(
      tx,
      refs.flatMap(({ tenant, runId }) => runTimerIds(runId).map((id) => ({ tenant, id }))),
    )
    return shards
  }

  /** A run that still waited for its turn: it has no tasks, and nothing to tidy up after. */
  async #endUnstarted(tx: Tx, run: RunRow, error: NonNullable<RunRow['error']>, now: Date): Promise<readonly Shard[]> {
    const ref = { tenant: run.tenant, runId: run.id }
    const steps = (await readSteps(tx, [ref])).get(keyOf(ref)) ?? []
    const skipped = steps
      .filter((row) => !isTaskEnded(row.state))
      .map((row) => ({ ...row, state: 'skipped', reason: 'the run was cancelled', endedAt: now }) as const)
    await saveSteps(
      tx,
      skipped.map((row) => ({ ...ref, row, counts: false })),
      now,
    )
    const ended = {
      ...run,
      state: 'cancelled',
      outcome: 'cancelled',
      cancelRequested: true,
      endedAt: now,
      error,
    } as const
    await saveRuns(tx, [ended], now)
    return this.runsEnded(tx, [ended], now)
  }

  async #callsOf(tx: Tx, ref: RunRef): Promise<readonly RunRow[]> {
    const ids = await openCalls(tx, ref)
    return lockRuns(
      tx,
      ids.map((runId) => ({ tenant: ref.tenant, runId })),
    )
  }
}
