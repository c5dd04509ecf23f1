import { isAppError, messageOf } from '../../foundation/kernel/errors.ts'
import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { RepoAt } from '../runs/runs-service.ts'
import type { RunState } from '../runs/states-contract.ts'
import { fireSchedule, mayQueue, type RepoLook, type ScheduledRuns } from './fire-schedule.ts'
import { holdSchedule } from './hold-schedules.ts'
import { claimDue, listDue, lockSchedule, nextDueIn, type ScheduleRow, saveSchedule } from './schedules-store.ts'
import { openRunsOfSlots, pruneSlots, setSlot } from './slots-store.ts'

export interface SchedulesJobOptions {
  readonly runs: ScheduledRuns
  /** Those of the runs that have ended, with their outcome; the `runs` part provides it. */
  readonly endedRuns: (
    tx: ReadTx,
    refs: readonly { readonly tenant: TenantId; readonly runId: RunId }[],
  ) => Promise<
    readonly { readonly tenant: TenantId; readonly runId: RunId; readonly state: RunState; readonly endedAt: Date }[]
  >
  readonly repoAt: (path: string) => Promise<RepoAt>
  /** Whether the schedules of a tenant may start runs: those of a suspended one are held. Default: always. */
  readonly isOpen?: (tx: ReadTx, tenant: TenantId) => Promise<boolean>
  /** Matches what became ready with free slots, in the same transaction. */
  readonly dispatch: (tx: Tx, shards: readonly Shard[], now: Date) => Promise<void>
  /** Milliseconds between looks. Default 1,000. */
  readonly pollMs?: number
  readonly onError: (error: unknown) => void
}

/** Schedules handled in one look, and open slots compared with their runs. */
const mostDue = 100
const mostOpen = 1_000
/** A schedule whose firing threw rests for this long, so that it does not hold up the others. */
const restMs = 5_000
const shortestRestMs = 50
const keptMs = 90 * 86_400_000
const pruneEveryMs = 3_600_000

/** Starts the runs of schedules. Any number of processes may run one: a locked row and the key of the slot see to it that each slot has one run. */
export function startSchedules(database: Database, options: SchedulesJobOptions): Loop {
  return createLoop({
    pollMs: options.pollMs ?? 1_000,
    idle: { pulse: database.pulse },
    onError: options.onError,
    step: createScheduleLook(database, options),
  })
}

/** One look: notes the ends of runs, then fires what is due. True: there is more; a number: ms until the next is due. */
export function createScheduleLook(
  database: Database,
  options: SchedulesJobOptions,
): (signal: AbortSignal) => Promise<boolean | number> {
  const system = database.asSystem('schedules')
  const resting = new Map<string, number>()
  let prunedAt = Number.NEGATIVE_INFINITY

  const look = async (path: string | null): Promise<RepoLook> => {
    if (path === null) return { repo: null }
    try {
      return { repo: await options.repoAt(path) }
    } catch (error) {
      if (!isAppError(error)) throw error
      return { problem: `${path}: ${messageOf(error)}` }
    }
  }

  const fire = async (due: ScheduleRow) => {
    // Outside the transaction: git takes its time.
    const repo = await look(due.repoPath)
    await system.write(async (tx) => {
      const now = database.clock.now()
      const row = await claimDue(tx, due.tenant, due.name, now)
      if (row === null) return
      if (options.isOpen !== undefined && !(await options.isOpen(tx, row.tenant))) return holdSchedule(tx, row, now)
      await options.dispatch(tx, await fireSchedule(tx, row, repo, options.runs, now), now)
    })
  }

  const readDue = async (tx: ReadTx) => {
    const now = database.clock.now()
    const due = await listDue(tx, now, mostDue)
    return { due, nextIn: due.length > 0 ? null : await nextDueIn(tx, now) }
  }

  /** Notes the ends of runs, and wakes the schedules whose slots wait for them. False: none has ended. */
  const closeSlots = async (open: Awaited<ReturnType<typeof openRunsOfSlots>>) => {
    if (open.length === 0) return false
    const ended = await system.read((tx) => options.endedRuns(tx, open))
    const ends = new Map(ended.map((run) => [`${run.tenant}/${run.runId}`, run]))
    for (const slot of open) {
      const run = ends.get(`${slot.tenant}/${slot.runId}`)
      if (run === undefined) continue
      await system.write(async (tx) => {
        const row = await lockSchedule(tx, slot.tenant, slot.name)
        const { runId, state: runState, endedAt } = run
        await setSlot(tx, slot, slot.slotAt, { state: 'ended', reason: null, runId, runState, endedAt })
        if (row !== null && row.state === 'active' && mayQueue(row)) {
          await saveSchedule(tx, { ...row, dueAt: database.clock.now() })
        }
      })
    }
    return ended.length > 0
  }

  return async (signal) => {
    const first = await system.read(async (tx) => ({
      open: await openRunsOfSlots(tx, mostOpen),
      ...(await readDue(tx)),
    }))
    // A schedule whose slots waited for a run that ended is due by that.
    const { due, nextIn } = (await closeSlots(first.open)) ? await system.read(readDue) : first
    let fired = 0
    for (const row of due) {
      if (signal.aborted) return false
      const key = `${row.tenant}/${row.name}`
      if ((resting.get(key) ?? Number.NEGATIVE_INFINITY) > database.clock.monotonic()) continue
      resting.delete(key)
      try {
        await fire(row)
        fired += 1
      } catch (error) {
        resting.set(key, database.clock.monotonic() + restMs)
        options.onError(error)
      }
    }
    if (database.clock.monotonic() - prunedAt > pruneEveryMs) {
      prunedAt = database.clock.monotonic()
      await system.write((tx) => pruneSlots(tx, new Date(database.clock.now().getTime() - keptMs), 10_000))
    }
    if (fired === mostDue) return true
    return due.length === 0 && nextIn !== null ? Math.max(shortestRestMs, nextIn) : false
  }
}
