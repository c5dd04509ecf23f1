import { isAppError } from '../../foundation/kernel/errors.ts'
import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { RepoAt, RunStart } from '../runs/runs-service.ts'
import type { RunState } from '../runs/states-contract.ts'
import { chooseMove, type Overlap } from './choose-overlap.ts'
import { planSlots } from './plan-slots.ts'
import { scheduleErrors } from './schedules-errors.ts'
import { type ScheduleRow, saveSchedule } from './schedules-store.ts'
import { ruleOf } from './slot-rule.ts'
import { openSlots, type SlotRow, setSlot, takeSlot, takeSlots } from './slots-store.ts'

/** What schedules need of the `runs` part. All of it happens in the transaction of the slot. */
export interface ScheduledRuns {
  start(
    tx: Tx,
    tenant: TenantId,
    start: RunStart,
    now: Date,
  ): Promise<{ readonly run: { readonly id: RunId; readonly state: RunState }; readonly shards: readonly Shard[] }>
  /** Asks open runs to end. */
  cancel(
    tx: Tx,
    refs: readonly { readonly tenant: TenantId; readonly runId: RunId }[],
    reason: string,
    now: Date,
  ): Promise<readonly Shard[]>
}

/** The repository as it was just before, or why it cannot be used. */
export type RepoLook = { readonly repo: RepoAt | null } | { readonly problem: string }

/** Slots kept as missed, the newest: a schedule of every minute that slept for a day needs no thousand rows. */
const mostMissedRows = 100

/**
 * Decides all slots of a locked schedule whose time has come, and starts their runs in the same transaction. Where a run
 * is refused (an unknown workflow, bad inputs, no repository) its slot has failed, and nothing else.
 */
export async function fireSchedule(
  tx: Tx,
  schedule: ScheduleRow,
  look: RepoLook,
  runs: ScheduledRuns,
  now: Date,
): Promise<readonly Shard[]> {
  const plan = planSlots(ruleOf(schedule), schedule.lastSlotAt, now)
  const firing = new Firing(tx, schedule, look, runs, now, await openSlots(tx, schedule))
  await takeSlots(tx, schedule, plan.missed.slice(-mostMissedRows), 'missed', 'nobody looked when it was due', now)
  await firing.startQueued()
  // Slots that are made up for must not stand in each other's way: they take turns.
  const overlap = makesUp(schedule) && plan.start.length > 1 ? 'queue' : schedule.overlap
  for (const slot of plan.start) await firing.decide(slot, overlap)
  const counts = { missed: plan.missed.length, ...firing.counts }
  const happened = Object.values(counts).some((count) => count > 0)
  const rev = happened ? schedule.rev + 1 : schedule.rev
  await saveSchedule(tx, { ...schedule, rev, lastSlotAt: plan.lastSlotAt, dueAt: plan.dueAt })
  if (happened) {
    await appendEvents(tx, [scheduleEvent(schedule, 'schedule.fired', now, { ...counts, runs: firing.started })])
  }
  return firing.shards
}

/** It skips what overlaps, and still wants every slot that was missed. */
function makesUp({ overlap, catchUp }: Pick<ScheduleRow, 'overlap' | 'catchUp'>): boolean {
  return overlap === 'skip' && catchUp === 'all'
}

/** Slots of the schedule may wait for their turn. */
export function mayQueue(schedule: Pick<ScheduleRow, 'overlap' | 'catchUp'>): boolean {
  return schedule.overlap === 'queue' || makesUp(schedule)
}

export function scheduleEvent(row: ScheduleRow, type: string, at: Date, data: JsonObject) {
  return {
    tenant: row.tenant,
    type,
    subject: { kind: 'schedule', id: row.name, rev: row.rev + 1 },
    runId: null,
    at,
    data: { workflow: row.workflow, ...data },
  }
}

class Firing {
  readonly shards: Shard[] = []
  readonly started: RunId[] = []
  readonly counts = { started: 0, queued: 0, skipped: 0, failed: 0 }
  readonly #tx: Tx
  readonly #schedule: ScheduleRow
  readonly #look: RepoLook
  readonly #runs: ScheduledRuns
  readonly #now: Date
  #open: { readonly tenant: TenantId; readonly runId: RunId }[]
  #queued: Date[]

  constructor(
    tx: Tx,
    schedule: ScheduleRow,
    look: RepoLook,
    runs: ScheduledRuns,
    now: Date,
    slots: readonly SlotRow[],
  ) {
    this.#tx = tx
    this.#schedule = schedule
    this.#look = look
    this.#runs = runs
    this.#now = now
    const { tenant } = schedule
    this.#open = slots.flatMap(({ runId }) => (runId === null ? [] : [{ tenant, runId }]))
    this.#queued = slots.filter((slot) => slot.state === 'queued').map((slot) => slot.slotAt)
  }

  /** The oldest slot that waits has its turn when no run is open; a slot whose run is refused makes room for the next. */
  async startQueued(): Promise<void> {
    while (this.#open.length === 0 && this.#queued.length > 0) await this.#start(this.#queued.shift()!)
  }

  async decide(slot: Date, overlap: Overlap): Promise<void> {
    const move = chooseMove(overlap, this.#open.length, this.#queued.length)
    if (move === 'skip') return this.#skip(slot, overlap)
    const state = move === 'queue' ? 'queued' : 'started'
    // Somebody else's slot is somebody else's run.
    if (!(await takeSlot(this.#tx, this.#schedule, slot, state, null, this.#now))) return
    if (move === 'queue') {
      this.#queued.push(slot)
      this.counts.queued += 1
      return
    }
    if (move === 'replace') await this.#endOpen()
    await this.#start(slot)
  }

  async #skip(slot: Date, overlap: Overlap): Promise<void> {
    const reason = overlap === 'queue' ? 'too many slots wait' : `run ${this.#open.at(-1)?.runId ?? ''} is still open`
    if (await takeSlot(this.#tx, this.#schedule, slot, 'skipped', reason, this.#now)) this.counts.skipped += 1
  }

  async #endOpen(): Promise<void> {
    const reason = `schedule ${this.#schedule.name} starts its next run`
    this.shards.push(...(await this.#runs.cancel(this.#tx, this.#open, reason, this.#now)))
    this.#open = []
  }

  async #start(slot: Date): Promise<void> {
    const change = { reason: null, runId: null, runState: null, endedAt: null }
    try {
      const { run, shards } = await this.#begin(slot)
      await setSlot(this.#tx, this.#schedule, slot, { ...change, state: 'started', runId: run.id, runState: run.state })
      this.shards.push(...shards)
      this.#open.push({ tenant: this.#schedule.tenant, runId: run.id })
      this.started.push(run.id)
      this.counts.started += 1
    } catch (error) {
      if (!isAppError(error) || error.kind === 'unavailable' || error.kind === 'internal' || error.kind === 'conflict')
        throw error
      const end = { ...change, state: 'failed', reason: error.message, endedAt: this.#now } as const
      await setSlot(this.#tx, this.#schedule, slot, end)
      this.counts.failed += 1
    }
  }

  async #begin(slot: Date) {
    const { tenant, name, workflow, inputs, priority, parallel, labels } = this.#schedule
    if ('problem' in this.#look) throw scheduleErrors['schedule-repo-unusable'](this.#look.problem)
    const start: RunStart = {
      what: { name: workflow },
      inputs,
      repo: this.#look.repo,
      priority,
      parallel,
      labels: { ...labels, schedule: name, slot: slot.toISOString() },
    }
    return this.#runs.start(this.#tx, tenant, start, this.#now)
  }
}
