import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import type { RunnersStore } from '../agents/runners-store.ts'
import type { TaskChange } from './sql/change-tasks.ts'
import type { Shard } from './sql/find-lanes.ts'
import { leasesOf, lostRunnersWithLeases, overdueLeases } from './sql/find-leases.ts'
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
  readonly onShards: (shards: readonly Shard[]) => void
  readonly onError: (error: unknown) => void
}

/** After a gap this long in our own clock (a laptop slept) every lease gets one fresh period of grace. */
const gapMs = 5_000

/** Finds leases whose holder is gone or whose time is up, and gives their tasks back to the queue. */
export class Reaper {
  readonly #options: ReaperOptions
  #lastLook: number | null = null
  #graceUntil = Number.NEGATIVE_INFINITY

  constructor(options: ReaperOptions) {
    this.#options = options
  }

  start(): Loop {
    return createLoop({
      pollMs: this.#options.pollMs ?? 1_000,
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
      const lost = await runners.giveUp(tx, { silentSince: new Date(now.getTime() - silence) }, now)
      return [...(await this.#loseLeasesOf(tx, lost, now)), ...(await this.#endOverdue(tx, now))]
    })
  }

  /** Gives up runners known to be dead, for example those of a former owner of the data folder. */
  async giveUp(runnerIds: readonly string[]): Promise<void> {
    await this.#write(async (tx, now) => {
      await this.#options.runners.giveUp(tx, { ids: runnerIds }, now)
      return this.#loseLeasesOf(tx, runnerIds, now)
    })
  }

  async #write(fn: (tx: Tx, now: Date) => Promise<readonly Shard[]>): Promise<void> {
    const { database, onShards } = this.#options
    await database.asSystem('reaper').write(async (tx) => {
      const shards = await fn(tx, database.clock.now())
      if (shards.length > 0) tx.afterCommit(() => onShards(shards))
    })
  }

  async #loseLeasesOf(tx: Tx, runnerIds: readonly string[], now: Date): Promise<readonly Shard[]> {
    const ids = await lostRunnersWithLeases(tx, runnerIds)
    if (ids.length === 0) return []
    const rows = await leasesOf(tx, ids, 2_000)
    const changes = rows.map((row): TaskChange => {
      const base = { tenant: row.tenant_id, taskId: row.id, fence: row.fence, outcome: 'lost' as const }
      if (row.cancel_reason !== null) return { ...base, event: 'cancel', to: 'cancelled', reason: row.cancel_reason }
      if (row.losses + 1 < (this.#options.maxLosses ?? 5)) return { ...base, event: 'lose', to: 'ready' }
      const message = `its runner was lost ${row.losses + 1} times while it worked on this task`
      return { ...base, event: 'fail', to: 'failed', reason: message, error: { code: 'runner-lost', message } }
    })
    return (await this.#options.queue.change(tx, changes, now)).shards
  }

  /** The backstop: the runner should have ended these by itself. */
  async #endOverdue(tx: Tx, now: Date): Promise<readonly Shard[]> {
    const rows = await overdueLeases(tx, now, 500)
    const message = 'the attempt did not end in its time, and its runner did not end it'
    const changes = rows.map(
      (row): TaskChange => ({
        tenant: row.tenant_id,
        taskId: row.id,
        fence: row.fence,
        event: 'time-out',
        to: 'timed-out',
        reason: message,
        error: { code: 'timeout', message },
        outcome: 'timed-out',
      }),
    )
    return (await this.#options.queue.change(tx, changes, now)).shards
  }
}
