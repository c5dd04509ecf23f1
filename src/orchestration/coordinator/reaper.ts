import { type Random, systemRandom } from '../../foundation/kernel/random.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { createLoop, isQuiet, type Loop } from '../../foundation/runtime/loop.ts'
import { setTimers } from '../../foundation/runtime/timers.ts'
import type { RunnersStore } from '../agents/runners-store.ts'
import { afterFailure } from './after-failure.ts'
import { relieveWaiting } from './relieve-waiting.ts'
import type { TaskChange } from './sql/change-tasks.ts'
import type { Shard } from './sql/find-lanes.ts'
import { type LeaseRow, lockLeasesOf, lostRunnersWithLeases, overdueLeases } from './sql/find-leases.ts'
import { lockRunsOf } from './sql/lock-runs.ts'
import { moveBack } from './sql/move-back.ts'
import type { TaskQueue } from './task-queue.ts'

export interface ReaperOptions {
  readonly database: Database
  readonly queue: TaskQueue
  readonly runners: RunnersStore
  /** A runner not heard of for this long is given up, ms. Default 6,000. */
  readonly silenceMs?: number
  /** A task whose runner died this often fails: it may be what kills them. Default 5. */
  readonly maxLosses?: number
  readonly pollMs?: number
  readonly random?: Random
  /** Starts runs whose turn it is and whom nobody told; the `runs` part provides it. */
  readonly startWaitingRuns: (tx: Tx, now: Date) => Promise<readonly Shard[]>
  /** Matches what became ready with free slots. */
  readonly onShards: (shards: readonly Shard[]) => Promise<void>
  readonly onError: (error: unknown) => void
}

/** After a gap this long in our own clock (a laptop slept) every lease gets one fresh period of grace. */
const gapMs = 5_000

/** Finds leases whose holder is gone or whose time is up, and gives their tasks back; wakes who waits and was forgotten. */
export class Reaper {
  readonly #options: ReaperOptions
  #lastLook: number | null = null
  #graceUntil = Number.NEGATIVE_INFINITY
  #backedAt = Number.NEGATIVE_INFINITY

  constructor(options: ReaperOptions) {
    this.#options = options
  }

  start(): Loop {
    return createLoop({
      pollMs: this.#options.pollMs ?? 1_000,
      // A runner is lost after 6 s of silence, and found to be within 10 s.
      idle: { pulse: this.#options.database.pulse, pollMs: 2_500 },
      onError: this.#options.onError,
      step: async () => {
        await this.reap()
      },
    })
  }

  /** One look. */
  async reap(): Promise<void> {
    const { database, runners } = this.#options
    const silence = this.#options.silenceMs ?? 6_000
    const monotonic = database.clock.monotonic()
    if (this.#lastLook !== null && monotonic - this.#lastLook > gapMs) this.#graceUntil = monotonic + silence
    this.#lastLook = monotonic
    if (monotonic < this.#graceUntil) return
    await this.#write(async (tx, now) => {
      const lost = await runners.giveUp(tx, { silentSince: new Date(now.getTime() - silence) })
      return this.#lose(tx, lost, lost, now)
    })
    // The backstops can wait a little while nothing happens.
    if (isQuiet(database.pulse) && monotonic - this.#backedAt < 2 * gapMs) return
    this.#backedAt = monotonic
    await this.#write((tx, now) => this.#endOverdue(tx, now))
    await this.#write(async (tx, now) => [
      ...(await relieveWaiting(tx, this.#options.queue, now)),
      ...(await this.#options.startWaitingRuns(tx, now)),
    ])
  }

  /** Gives up runners known to be dead, for example those of a former owner of the data folder. */
  async giveUp(runnerIds: readonly string[]): Promise<void> {
    await this.#write(async (tx, now) => {
      const lost = await this.#options.runners.giveUp(tx, { ids: runnerIds })
      return this.#lose(tx, lost, runnerIds, now)
    })
  }

  /** Takes the leases of runners away, and the agents of those that were not lost before offline. */
  async #lose(tx: Tx, fresh: readonly string[], all: readonly string[], now: Date): Promise<readonly Shard[]> {
    const shards = await this.#loseLeasesOf(tx, all, now)
    await this.#options.runners.takeOffline(tx, fresh, now)
    return shards
  }

  async #write(fn: (tx: Tx, now: Date) => Promise<readonly Shard[]>): Promise<void> {
    const { database, onShards } = this.#options
    const shards = await database.asSystem('reaper').write((tx) => fn(tx, database.clock.now()))
    if (shards.length > 0) await onShards(shards)
  }

  async #loseLeasesOf(tx: Tx, runnerIds: readonly string[], now: Date): Promise<readonly Shard[]> {
    const ids = await lostRunnersWithLeases(tx, runnerIds)
    if (ids.length === 0) return []
    // Tasks, then runs, as everywhere; the second look sees what a run became until its lock was ours.
    await lockRunsOf(tx, await lockLeasesOf(tx, ids, mostLost))
    const rows = await lockLeasesOf(tx, ids, mostLost)
    const { queue } = this.#options
    const changes = rows.map((row) => this.#afterLoss(row))
    const { shards } = await queue.change(tx, changes, now)
    // Lost for the first time it keeps its place: it has waited for its turn already.
    await moveBack(
      tx,
      changes.filter((change, n) => change.to === 'ready' && rows[n]!.losses > 0),
    )
    const held = rows.filter((row) => row.paused)
    if (held.length === 0) return shards
    const holds = held.map(({ tenant, taskId, runId }): TaskChange => {
      return { tenant, taskId, fence: null, event: 'hold', to: 'waiting', reason: `paused:${runId}` }
    })
    return [...shards, ...(await queue.change(tx, holds, now)).shards]
  }

  #afterLoss({ tenant, taskId, fence, losses, cancel_reason }: LeaseRow): TaskChange {
    const base = { tenant, taskId, fence, outcome: 'lost' as const }
    if (cancel_reason !== null) return { ...base, event: 'cancel', to: 'cancelled', reason: cancel_reason }
    if (losses + 1 < (this.#options.maxLosses ?? 5)) return { ...base, event: 'lose', to: 'ready' }
    const message = `its runner was lost ${losses + 1} times while it worked on this task`
    return { ...base, event: 'fail', to: 'failed', reason: message, error: { code: 'runner-lost', message } }
  }

  /** The backstop: the runner should have ended these by itself. */
  async #endOverdue(tx: Tx, now: Date): Promise<readonly Shard[]> {
    const message = 'the attempt did not end in its time, and its runner did not end it'
    const error = { code: 'timeout', message, retry: 'later' } as const
    const outcomes = (await overdueLeases(tx, now, 500)).map((row) => {
      const { tenant, taskId, fence } = row
      const ended = { tenant, taskId, fence, outcome: 'timed-out', output: null, error } as const
      return afterFailure(ended, row, now, this.#options.random ?? systemRandom)
    })
    const { shards } = await this.#options.queue.change(
      tx,
      outcomes.map(({ change }) => change),
      now,
    )
    await setTimers(
      tx,
      outcomes.flatMap(({ timer }) => (timer === null ? [] : [timer])),
    )
    return shards
  }
}

/** Leases taken away in one look. */
const mostLost = 2_000
