import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import { AgentDirectory } from './agent-directory.ts'
import { choosePreemptions, type Victim, type WaitingLane } from './choose-preemptions.ts'
import { bindToResources } from './held-resources.ts'
import { parseLane } from './lane-contract.ts'
import type { TaskChange } from './sql/change-tasks.ts'
import { findLanes, type Shard } from './sql/find-lanes.ts'
import { findPreemptible, type PreemptibleLease, readMembers } from './sql/find-preemptible.ts'
import { lockShards } from './sql/lock-shards.ts'
import { readHeads } from './sql/read-heads.ts'
import { type TaskQueue, uniqueShards } from './task-queue.ts'

export interface PreemptorOptions {
  readonly database: Database
  readonly queue: TaskQueue
  /** Matches what became ready with the slots that became free. */
  readonly onShards: (shards: readonly Shard[]) => Promise<void>
  /** Tells runners to compare their leases with what they hold: some are no longer theirs. */
  readonly wakeRunner: (runnerId: string) => void
  readonly onError: (error: unknown) => void
  /** How long work of higher priority waits at most before it takes a place, ms. Default 1,000. */
  readonly pollMs?: number
}

/** Leases looked at, and taken back, in one look. */
const mostLeases = 5_000
const mostTaken = 50
/** A task that has lost its place this often keeps the next one. */
const mostLosses = 3

/**
 * Lets tasks of higher priority have the places of tasks whose steps allow it. The lease is taken back: its runner ends the
 * work and reports nothing, and the task is ready again, at the place in its lane that it had.
 */
export class Preemptor {
  readonly #options: PreemptorOptions
  readonly #directory = new AgentDirectory()

  constructor(options: PreemptorOptions) {
    this.#options = options
  }

  start(): Loop {
    const { pollMs = 1_000, onError } = this.#options
    const idle = { pulse: this.#options.database.pulse, pollMs: 10_000 }
    return createLoop({ pollMs, idle, onError, step: async () => void (await this.look()) })
  }

  /** One look. Returns how many leases were taken back. */
  async look(): Promise<number> {
    const { database, onShards, wakeRunner } = this.#options
    const taken = await database.asSystem('preemption').write(async (tx) => {
      const leases = await findPreemptible(tx, mostLosses, mostLeases)
      if (leases.length === 0) return []
      const shards = await lockShards(tx, uniqueShards(leases))
      const chosen: { readonly lease: PreemptibleLease; readonly for: number }[] = []
      for (const shard of shards) chosen.push(...(await this.#choose(tx, shard, leases)))
      return this.#takeBack(tx, chosen, database.clock.now())
    })
    if (taken.length === 0) return 0
    for (const runnerId of new Set(taken.map((lease) => lease.runnerId))) wakeRunner(runnerId)
    await onShards(uniqueShards(taken))
    return taken.length
  }

  async #choose(tx: Tx, shard: Shard, leases: readonly PreemptibleLease[]) {
    const victims = leases
      .filter((lease) => lease.tenant === shard.tenant && lease.pool === shard.pool)
      .map((lease) => ({ ...lease, lane: parseLane(lease.lane), lease }) satisfies Victim & { lease: PreemptibleLease })
    const least = Math.min(...victims.map((victim) => victim.lane.priority))
    const [found] = await findLanes(tx, [shard], [''], 0, [])
    const above = (found?.lanes ?? []).filter((lane) => parseLane(lane).priority > least)
    if (above.length === 0) return []
    const { heads } = await readHeads(
      tx,
      above.map((lane) => ({ ...shard, lane, limit: mostTaken })),
    )
    const waiting = heads.map(({ lane, ids }): WaitingLane => ({ ...parseLane(lane), tasks: ids.length }))
    const members = await readMembers(tx, [shard])
    const profile = await this.#directory.profiles(tx, shard.tenant, members)
    const agents = members.map((member) => ({ ...member, ...profile(member.id) }))
    const [bound] = await bindToResources(tx, [{ ...shard, lanes: waiting, agents }])
    return choosePreemptions(bound!.lanes, victims, bound!.agents, mostTaken).map(({ victim, for: priority }) => ({
      lease: victim.lease,
      for: priority,
    }))
  }

  async #takeBack(
    tx: Tx,
    chosen: readonly { readonly lease: PreemptibleLease; readonly for: number }[],
    now: Date,
  ): Promise<readonly PreemptibleLease[]> {
    const changes = chosen.map(({ lease, for: priority }): TaskChange => {
      const { tenant, taskId, fence } = lease
      const reason = `its place was taken by work of priority ${priority}`
      const error = { code: 'preempted', message: reason }
      return { tenant, taskId, fence, event: 'lose', to: 'ready', outcome: 'lost', reason, error }
    })
    const { changed } = await this.#options.queue.change(tx, changes, now)
    const ids = new Set(changed.map(({ tenant, taskId }) => `${tenant}/${taskId}`))
    return chosen.map(({ lease }) => lease).filter(({ tenant, taskId }) => ids.has(`${tenant}/${taskId}`))
  }
}
