import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import type { AttemptReport } from '../runners/exchange-contract.ts'
import { type ChangedTask, changeTasks, type TaskChange } from './sql/change-tasks.ts'
import { completeTasks, type EndedStep } from './sql/complete-tasks.ts'
import {
  type Candidate,
  defineGroups,
  deleteGroupsOfRuns,
  findWaitingForPlaces,
  freePlaces,
  takePlaces,
} from './sql/concurrency.ts'
import type { Shard } from './sql/find-lanes.ts'
import { admitWaiting } from './sql/hold-tasks.ts'
import { insertTasks, type NewTask } from './sql/insert-tasks.ts'

/** Called with steps whose last task has ended; moves their runs on. */
export type StepsEnded = (tx: Tx, steps: readonly EndedStep[], now: Date) => Promise<readonly Shard[]>

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

/** How many tasks one freed place or one settled budget wakes at most; the rest is woken by what these free. */
const wakeBatch = 100

/** Every change of a task goes through here, with what must follow from it in the same transaction. */
export class TaskQueue {
  readonly #stepsEnded: StepsEnded

  constructor(stepsEnded: StepsEnded) {
    this.#stepsEnded = stepsEnded
  }

  /** Adds tasks; those without a place under their keys start out waiting for one. */
  async insert(tx: Tx, tasks: readonly NewTask[], places: readonly Place[], now: Date): Promise<readonly Shard[]> {
    await defineGroups(tx, places)
    const asking = tasks.filter((task) => task.waitsFor === null && task.concurrency.length > 0)
    const refused = await takePlaces(
      tx,
      asking.map((task) => ({ tenant: task.tenant, taskId: task.taskId, keys: task.concurrency })),
    )
    const placed = tasks.map((task) => {
      const full = refused.get(task.taskId)
      return full === undefined ? task : { ...task, waitsFor: `concurrency:${full}` }
    })
    await insertTasks(tx, placed, now)
    return uniqueShards(placed.filter((task) => task.waitsFor === null))
  }

  async change(tx: Tx, changes: readonly TaskChange[], now: Date): Promise<ChangeOutcome> {
    const result = await changeTasks(tx, changes, now)
    const shards = await this.#follow(tx, result, now)
    return { changed: result.changed, shards: uniqueShards([...shards, ...result.changed]) }
  }

  /** Applies reports of success. Returns the fences that were accepted. */
  async complete(
    tx: Tx,
    reports: readonly AttemptReport[],
    now: Date,
  ): Promise<{ accepted: ReadonlySet<number>; shards: readonly Shard[] }> {
    if (reports.length === 0) return { accepted: new Set(), shards: [] }
    const result = await completeTasks(tx, reports, now)
    return { accepted: result.accepted, shards: await this.#follow(tx, result, now) }
  }

  /** Puts tasks that wait for a reason back into their lanes. */
  admit(tx: Tx, tenant: TenantId, reason: string, now: Date): Promise<readonly Shard[]> {
    return admitWaiting(tx, [{ tenant, reason, limit: wakeBatch }], now)
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

  async #follow(tx: Tx, result: Followed, now: Date): Promise<readonly Shard[]> {
    const shards: Shard[] = []
    if (result.freed.length > 0) shards.push(...(await this.#freePlaces(tx, result.freed, now)))
    if (result.settledBudgets.length > 0) {
      const reasons = result.settledBudgets.map(({ tenant, budget }) => ({
        tenant,
        reason: `budget:${budget}`,
        limit: wakeBatch,
      }))
      shards.push(...(await admitWaiting(tx, reasons, now)))
    }
    if (result.endedSteps.length > 0) shards.push(...(await this.#stepsEnded(tx, result.endedSteps, now)))
    return uniqueShards(shards)
  }

  async #freePlaces(tx: Tx, freed: Followed['freed'], now: Date): Promise<readonly Shard[]> {
    await freePlaces(tx, freed)
    const keys = new Map(
      freed.flatMap(({ tenant, keys }) => keys.map((key) => [`${tenant}/${key}`, { tenant, key }] as const)),
    )
    const count = freed.reduce((sum, item) => sum + item.keys.length, 0)
    const waiting = await findWaitingForPlaces(tx, [...keys.values()], count)
    const refused = await takePlaces(tx, waiting)
    const stillFull = (candidate: Candidate) => refused.get(candidate.taskId)
    const moved = waiting.filter((candidate) => {
      const full = stillFull(candidate)
      return full === undefined || !keys.has(`${candidate.tenant}/${full}`)
    })
    const changes = moved.map((candidate): TaskChange => {
      const full = stillFull(candidate)
      const base = { tenant: candidate.tenant, taskId: candidate.taskId, fence: null }
      if (full === undefined) return { ...base, event: 'admit', to: 'ready' }
      return { ...base, event: 'hold', to: 'waiting', reason: `concurrency:${full}` }
    })
    const result = await changeTasks(tx, changes, now)
    return uniqueShards(result.changed.filter((task) => task.to === 'ready'))
  }
}

interface Followed {
  readonly endedSteps: readonly EndedStep[]
  readonly freed: readonly { readonly tenant: TenantId; readonly keys: readonly string[] }[]
  readonly settledBudgets: readonly { readonly tenant: TenantId; readonly budget: string }[]
}

export function uniqueShards(items: readonly Shard[]): readonly Shard[] {
  return [
    ...new Map(items.map((item) => [`${item.tenant}/${item.pool}`, { tenant: item.tenant, pool: item.pool }])).values(),
  ]
}
