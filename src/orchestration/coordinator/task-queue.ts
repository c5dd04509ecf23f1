import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import type { PendingSpending } from '../budgets/budget-rules-contract.ts'
import type { AttemptReport } from '../runners/exchange-contract.ts'
import { isTaskEnded } from '../runs/states-contract.ts'
import { coordinatorErrors } from './coordinator-errors.ts'
import { Counters, isEmpty, mayEnd } from './counters.ts'
import { Looks } from './looks.ts'
import {
  applyCounters,
  applyCountersLast,
  type BudgetDelta,
  type DisplacedDelta,
  type EndedStep,
} from './sql/apply-counters.ts'
import { type ChangedTask, changeTasks, type TaskChange } from './sql/change-tasks.ts'
import { chunksOf } from './sql/chunks-of.ts'
import { completeTasks } from './sql/complete-tasks.ts'
import { defineGroups, deleteGroupsOfRuns, findWaitingForPlaces, freePlaces, takePlaces } from './sql/concurrency.ts'
import type { Shard } from './sql/find-lanes.ts'
import { admitWaiting } from './sql/hold-tasks.ts'
import { inIdOrder } from './sql/in-id-order.ts'
import { insertTasks, type NewTask } from './sql/insert-tasks.ts'
import { lockRunsOf } from './sql/lock-runs.ts'

/** What must follow from changes of tasks, in the same transaction; other parts provide it. Most return what became ready. */
export interface QueueFollowers {
  /** Moves runs on whose steps have no open task any more. What was spent is still to be written. */
  stepsEnded(tx: Tx, steps: readonly EndedStep[], now: Date, spending: PendingSpending): Promise<readonly Shard[]>
  /** Drops what tasks waited for that ended while they waited: timers, questions, runs. */
  waitsEnded(tx: Tx, tasks: readonly ChangedTask[], now: Date): Promise<readonly Shard[]>
  /** Starts the runs of tasks whose work is another workflow. */
  startCalls(tx: Tx, tasks: readonly TaskRef[], now: Date): Promise<readonly Shard[]>
  /** Writes what is of another window of a budget than the present one; returns what is of the present one after all. */
  otherWindows(tx: Tx, displaced: readonly DisplacedDelta[], now: Date): Promise<readonly BudgetDelta[]>
}

export interface TaskRef {
  readonly tenant: TenantId
  readonly taskId: string
}

/** A task that may begin, as far as its reason for waiting went. */
export interface Admissible extends TaskRef {
  /** Its work is a run of another workflow: it goes on waiting, for that run. */
  readonly isCall: boolean
}

export interface Place {
  readonly tenant: TenantId
  readonly key: string
  readonly max: number
}

export interface ChangeOutcome {
  readonly changed: readonly ChangedTask[]
  /** Shards in which tasks became ready or slots free. */
  readonly shards: readonly Shard[]
}

/** How many tasks one settled budget wakes at most; the rest is woken by what these free. */
const wakeBatch = 100

/** Every change of a task goes through here, with what must follow from it in the same transaction. */
export class TaskQueue {
  readonly #followers: QueueFollowers
  readonly #looks: Looks

  constructor(followers: QueueFollowers, looks: Looks = new Looks()) {
    this.#followers = followers
    this.#looks = looks
  }

  /** Adds tasks. Those without a place under their keys start out waiting for one, and are returned as `queued`. */
  async insert(
    tx: Tx,
    tasks: readonly NewTask[],
    places: readonly Place[],
    now: Date,
  ): Promise<{ readonly shards: readonly Shard[]; readonly queued: ReadonlySet<string> }> {
    await defineGroups(tx, places)
    const asking = tasks.filter((task) => task.concurrency.length > 0)
    const refused = await takePlaces(
      tx,
      asking.map((task) => ({ tenant: task.tenant, taskId: task.taskId, keys: task.concurrency })),
    )
    const placed = tasks.map((task) => {
      const full = refused.get(task.taskId)
      return full === undefined ? task : { ...task, waitsFor: `concurrency:${full}` }
    })
    await insertTasks(tx, placed, now)
    const ready = placed.filter((task) => task.waitsFor === null)
    this.#looks.add(tx, ready)
    return { shards: uniqueShards(ready), queued: new Set(refused.keys()) }
  }

  /** Without `counters` everything is written at once; with them, the caller calls `settle` last. */
  async change(tx: Tx, changes: readonly TaskChange[], now: Date, counters?: Counters): Promise<ChangeOutcome> {
    const gathered = counters ?? new Counters()
    this.#looks.drop(tx)
    const result = await changeTasks(tx, changes, now)
    gathered.add(result.deltas)
    gathered.free(result.freed)
    const shards: Shard[] = [...result.changed]
    if (counters === undefined) shards.push(...(await this.settle(tx, gathered, now)))
    const waited = result.changed.filter((task) => task.from === 'waiting' && isTaskEnded(task.to))
    if (waited.length > 0) shards.push(...(await this.#followers.waitsEnded(tx, waited, now)))
    return { changed: result.changed, shards: uniqueShards(shards) }
  }

  /** Applies reports of success; the caller calls `settle` last. Returns the fences that were accepted. */
  async complete(
    tx: Tx,
    reports: readonly AttemptReport[],
    now: Date,
    counters: Counters,
  ): Promise<ReadonlySet<number>> {
    const accepted = new Set<number>()
    for (const chunk of chunksOf(inIdOrder(reports))) {
      const result = await completeTasks(tx, chunk, now)
      counters.add(result.deltas)
      counters.free(result.freed)
      for (const fence of result.accepted) accepted.add(fence)
    }
    return accepted
  }

  /**
   * Moves the runs on whose steps end by what was gathered, as far as can be seen, before anything is written that others
   * share too. Runs are locked before those rows, as everywhere. Returns the shards in which tasks became ready.
   */
  async moveOn(tx: Tx, counters: Counters, now: Date): Promise<readonly Shard[]> {
    const steps = counters.takeEnding()
    if (steps.length === 0) return []
    await lockRunsOf(tx, steps)
    const { endedSteps } = await applyCounters(tx, { agents: [], steps, budgets: [] }, now)
    return endedSteps.length === 0 ? [] : this.#followers.stepsEnded(tx, endedSteps, now, counters)
  }

  /**
   * Writes what was gathered and does what follows from it: runs whose steps ended move on, freed places and budgets wake
   * those who wait for them. Returns the shards in which tasks became ready.
   */
  async settle(tx: Tx, counters: Counters, now: Date): Promise<readonly Shard[]> {
    const shards: Shard[] = [...(await this.moveOn(tx, counters, now))]
    const deltas = counters.take()
    const freed = counters.takeFreed()
    let ended: readonly EndedStep[] = []
    if (!isEmpty(deltas)) {
      const applied = await applyCounters(tx, deltas, now)
      if (!applied.slotsHeld) throw coordinatorErrors['slots-contended']('an agent was given to others meanwhile')
      const held = applied.budgetsHeld && (await this.#applyDisplaced(tx, applied.displaced, now))
      if (!held) throw coordinatorErrors['budget-contended']('a budget changed while it was being held')
      ended = applied.endedSteps
    }
    if (freed.length > 0) {
      await freePlaces(tx, freed)
      const keys = freed.flatMap(({ tenant, keys }) => keys.map((key) => ({ tenant, key })))
      shards.push(...(await this.wakeForPlaces(tx, keys, now)))
    }
    const settled = deltas.budgets.filter((delta) => delta.held + delta.spent < 0)
    if (settled.length > 0) {
      const reasons = settled.map(({ tenant, budget, held, spent }) => {
        // Of agents at work everybody takes one: as many are woken as there is room for.
        const limit = budget.endsWith(':agents') ? Math.min(wakeBatch, -held - spent) : wakeBatch
        return { tenant, reason: `budget:${budget}`, limit }
      })
      this.#looks.drop(tx)
      shards.push(...(await admitWaiting(tx, reasons, now)))
    }
    if (ended.length > 0) shards.push(...(await this.#followers.stepsEnded(tx, ended, now, counters)))
    return uniqueShards(shards)
  }

  /** False: the budgets were taken by somebody else meanwhile. */
  async #applyDisplaced(tx: Tx, displaced: readonly DisplacedDelta[], now: Date): Promise<boolean> {
    if (displaced.length === 0) return true
    const budgets = await this.#followers.otherWindows(tx, displaced, now)
    if (budgets.length === 0) return true
    const applied = await applyCounters(tx, { agents: [], steps: [], budgets }, now)
    return applied.budgetsHeld && applied.displaced.length === 0
  }

  /**
   * Writes what was gathered and ends the transaction with it, where nothing follows from it as far as can be seen: no step
   * ends, nothing is given back that others wait for. Null: nothing was written, and `settle` is to be called.
   */
  settleLast(tx: Tx, counters: Counters, now: Date): Promise<readonly Shard[]> | null {
    if (counters.hasFreed) return null
    const deltas = counters.peek()
    if (isEmpty(deltas) || deltas.steps.some(mayEnd)) return null
    if (deltas.budgets.some((delta) => delta.held + delta.spent < 0)) return null
    counters.take()
    return applyCountersLast(tx, deltas, now).then(() => [])
  }

  /** Lets waiting tasks begin, whatever they waited for. They have their places. */
  async admit(tx: Tx, tasks: readonly Admissible[], now: Date): Promise<readonly Shard[]> {
    const changes = tasks.map(({ tenant, taskId, isCall }): TaskChange => {
      const base = { tenant, taskId, fence: null }
      return isCall
        ? { ...base, event: 'hold', to: 'waiting', reason: 'run' }
        : { ...base, event: 'admit', to: 'ready' }
    })
    this.#looks.drop(tx)
    const { changed } = await changeTasks(tx, changes, now)
    const calls = changed.filter((task) => task.to === 'waiting')
    const shards = changed.filter((task) => task.to === 'ready')
    return uniqueShards(
      calls.length === 0 ? shards : [...shards, ...(await this.#followers.startCalls(tx, calls, now))],
    )
  }

  /** Lets waiting tasks begin for which there are places; the others wait for the key that is full. */
  async seekPlaces(
    tx: Tx,
    tasks: readonly (Admissible & { readonly keys: readonly string[]; readonly waitsFor?: string })[],
    now: Date,
  ): Promise<{ readonly shards: readonly Shard[]; readonly moved: readonly TaskRef[] }> {
    const refused = await takePlaces(tx, tasks)
    const moved = tasks.filter(({ taskId, waitsFor }) => refused.has(taskId) && refused.get(taskId) !== waitsFor)
    const changes = moved.map(({ tenant, taskId }): TaskChange => {
      const reason = `concurrency:${refused.get(taskId)}`
      return { tenant, taskId, fence: null, event: 'hold', to: 'waiting', reason }
    })
    await changeTasks(tx, changes, now)
    const shards = await this.admit(
      tx,
      tasks.filter(({ taskId }) => !refused.has(taskId)),
      now,
    )
    return { shards, moved }
  }

  /** Takes a place for something other than a task, for example a whole run. With `max` the key is defined first. False: full. */
  async takePlace(
    tx: Tx,
    place: { readonly tenant: TenantId; readonly key: string; readonly max?: number },
  ): Promise<boolean> {
    const { tenant, key, max } = place
    if (max !== undefined) await defineGroups(tx, [{ tenant, key, max }])
    const refused = await takePlaces(tx, [{ tenant, taskId: key, keys: [key] }])
    return refused.size === 0
  }

  /** Gives such places back. */
  givePlacesBack(
    tx: Tx,
    freed: readonly { readonly tenant: TenantId; readonly keys: readonly string[] }[],
  ): Promise<void> {
    return freePlaces(tx, freed)
  }

  /** Removes the keys that belonged to ended runs alone. */
  forgetPlaces(tx: Tx, runs: readonly { readonly tenant: TenantId; readonly runId: string }[]): Promise<void> {
    return deleteGroupsOfRuns(tx, runs)
  }

  /** Gives free places to those who wait for them, the oldest first. */
  async wakeForPlaces(
    tx: Tx,
    keys: readonly { readonly tenant: TenantId; readonly key: string }[],
    now: Date,
  ): Promise<readonly Shard[]> {
    const shards: Shard[] = []
    let open = [...new Map(keys.map((key) => [`${key.tenant}/${key.key}`, key])).values()]
    while (open.length > 0) {
      const waiting = await findWaitingForPlaces(tx, open)
      if (waiting.length === 0) break
      const result = await this.seekPlaces(tx, waiting, now)
      shards.push(...result.shards)
      // Who needs another key too, and does not get it, leaves its turn to the next in the queue.
      const moved = new Set(result.moved.map((task) => task.taskId))
      open = [
        ...new Map(
          waiting
            .filter((task) => moved.has(task.taskId))
            .map(({ tenant, waitsFor }) => [`${tenant}/${waitsFor}`, { tenant, key: waitsFor }]),
        ).values(),
      ]
    }
    return uniqueShards(shards)
  }
}

export function uniqueShards(items: readonly Shard[]): readonly Shard[] {
  return [
    ...new Map(items.map((item) => [`${item.tenant}/${item.pool}`, { tenant: item.tenant, pool: item.pool }])).values(),
  ]
}
