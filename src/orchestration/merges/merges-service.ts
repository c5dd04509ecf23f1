import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import { transition } from '../../foundation/kernel/state-table.ts'
import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents, type LoggedEvent } from '../../foundation/runtime/event-log.ts'
import type { CheckReport } from '../gates/gate-verdict-contract.ts'
import type { Assignment } from '../runners/exchange-contract.ts'
import type { ResolvedMerge } from '../workflows/task-contract.ts'
import { fitTogether } from './batch-rules.ts'
import { mergeErrors } from './merge-errors.ts'
import type { BatchNote, MergeJournal, MergeNote, MergeRecord, Parted, WaitingMerge } from './merge-journal.ts'
import { type MergeEvent, mergeStates, openMergeStates } from './merge-states-contract.ts'
import {
  findMergeRow,
  insertMergeRows,
  lockMerges,
  lockTakenAlong,
  type MergeRow,
  type NewMerge,
  queuedBeside,
  saveMerge,
  setMost,
} from './merges-store.ts'

/** Puts merges into their queues, in the transaction that makes their tasks. */
export async function insertMerges(tx: Tx, merges: readonly NewMerge[], now: Date): Promise<void> {
  await insertMergeRows(tx, merges, now)
  await appendEvents(
    tx,
    merges.map(({ tenant, taskId, runId, step, repo, branch, commit }) => ({
      ...{ tenant, type: 'merge.queued', runId, at: now, data: { step, repo, branch, commit } },
      subject: { kind: 'merge', id: taskId, rev: 1 },
    })),
  )
}

/** What was learned of how sure people are of work; the `approvals` part provides it. */
export interface MergeExperience {
  /** The reports of one merge as they count after what was learned; each judgement becomes a sample. */
  weigh(tx: Tx, merge: MergeRef, reports: readonly CheckReport[], now: Date): Promise<readonly CheckReport[]>
  /** The work did not pass. */
  failed(tx: Tx, merge: MergeRef, now: Date): Promise<void>
}

/** Of tasks of merges, those that wait for nothing but their turn on the branch, and what they are to do; the `runs` part provides it. */
export type ReadMergesInLine = (
  tx: ReadTx,
  tenant: TenantId,
  taskIds: readonly string[],
  key: string,
) => Promise<ReadonlyMap<string, ResolvedMerge>>

export type MergeRef = Pick<Assignment, 'tenant' | 'taskId' | 'runId' | 'step'>

/** The record of merges: what runners note, and what follows when their tasks end without a note. */
export class MergesService implements MergeJournal {
  readonly #database: Database
  readonly #experience: MergeExperience
  readonly #readInLine: ReadMergesInLine

  constructor(database: Database, experience: MergeExperience, readInLine: ReadMergesInLine) {
    this.#database = database
    this.#experience = experience
    this.#readInLine = readInLine
  }

  async weigh(assignment: Assignment, reports: readonly CheckReport[]): Promise<readonly CheckReport[]> {
    if (!reports.some(({ facts }) => facts?.type !== undefined)) return reports
    const { tenant } = assignment
    return this.#database
      .forTenant(tenant)
      .write((tx) => this.#experience.weigh(tx, assignment, reports, this.#database.clock.now()))
  }

  read({ tenant, taskId }: Assignment): Promise<MergeRecord | null> {
    return this.#database.forTenant(tenant).read((tx) => findMergeRow(tx, tenant, taskId))
  }

  async note(assignment: Assignment, event: MergeEvent, note: MergeNote = {}): Promise<void> {
    const { tenant, taskId, fence } = assignment
    await this.#database.forTenant(tenant).write(async (tx) => {
      const now = this.#database.clock.now()
      const [row] = await lockMerges(tx, [{ tenant, taskId }])
      if (row === undefined) throw mergeErrors['merge-not-found'](`there is no merge ${taskId}`)
      if (fence < row.fence) throw mergeErrors['merge-superseded'](`${taskId} has been leased again meanwhile`)
      await change(tx, row, event, note, fence, now)
      if (note.atFault === true) await this.#experience.failed(tx, assignment, now)
    })
  }

  async behind(assignment: Assignment, usual: number): Promise<readonly WaitingMerge[]> {
    const { tenant } = assignment
    return this.#database.forTenant(tenant).read(async (tx) => {
      const own = await findMergeRow(tx, tenant, assignment.taskId)
      const queued = await queuedBeside(tx, assignment, mostLookedAt)
      const specs = await this.#inLine(tx, assignment, queued)
      const line = queued.flatMap(({ task_id: taskId, run_id: runId, step, item, most: limit }) => {
        const spec = specs.get(taskId)
        return spec === undefined ? [] : [{ taskId, runId, step, item, spec, most: limit }]
      })
      return fitTogether({ spec: specOf(assignment), most: own?.most ?? null }, line, usual)
    })
  }

  async noteAll(
    assignment: Assignment,
    event: 'test' | 'land' | 'merge',
    notes: readonly BatchNote[],
  ): Promise<boolean> {
    const { tenant, taskId: leader, fence } = assignment
    return this.#database.forTenant(tenant).write(async (tx) => {
      const now = this.#database.clock.now()
      const locked = await lockMerges(
        tx,
        notes.map(({ taskId }) => ({ tenant, taskId })),
      )
      const rows = new Map(locked.map((row) => [row.task_id, row]))
      const own = rows.get(leader)
      if (own === undefined) throw mergeErrors['merge-not-found'](`there is no merge ${leader}`)
      if (fence < own.fence) throw mergeErrors['merge-superseded'](`${leader} has been leased again meanwhile`)
      const others = locked.filter((row) => row.task_id !== leader)
      if (event !== 'merge' && !(await this.#areStillOurs(tx, assignment, event, notes.length, others))) return false
      for (const { taskId, note } of notes) {
        const row = rows.get(taskId)
        if (row === undefined) throw mergeErrors['merge-not-found'](`there is no merge ${taskId}`)
        // Of another only its own attempt knows the lease.
        const at = taskId === leader ? fence : Number(row.fence)
        // It may have been found out by its own attempt that it is in.
        if (event === 'merge' && mergeStates[row.state].merge === null) continue
        if (mergeStates[row.state][event] !== null) {
          await change(tx, row, event, note, at, now)
          continue
        }
        const { target, batch } = note
        const begun = { ...(target === undefined ? {} : { target }), ...(batch === undefined ? {} : { batch }) }
        await change(tx, row, 'begin', begun, at, now)
        await change(tx, { ...row, state: 'rebasing', rev: row.rev + 1 }, event, note, at, now)
      }
      return true
    })
  }

  async part(assignment: Assignment, merges: readonly Parted[], reason: string): Promise<void> {
    const { tenant, taskId: leader } = assignment
    await this.#database.forTenant(tenant).write(async (tx) => {
      const now = this.#database.clock.now()
      const most = new Map(merges.map((each) => [each.taskId, each.most]))
      const refs = merges.map(({ taskId }) => ({ tenant, taskId }))
      for (const row of await lockMerges(tx, refs)) {
        if (row.batch === leader && (openMergeStates as readonly string[]).includes(row.state))
          await change(tx, row, 'requeue', { reason }, row.fence, now)
        await setMost(tx, row, most.get(row.task_id) ?? null)
      }
    })
  }

  /** Nobody has cancelled, paused or begun them, nor taken them along with another. */
  async #areStillOurs(
    tx: ReadTx,
    assignment: Assignment,
    event: 'test' | 'land',
    expected: number,
    rows: readonly MergeRow[],
  ): Promise<boolean> {
    if (rows.length !== expected - 1) return false
    const held = rows.every(
      ({ state, batch }) =>
        (state === 'testing' && batch === assignment.taskId) || (event === 'test' && state === 'queued'),
    )
    return held && (await this.#inLine(tx, assignment, rows)).size === rows.length
  }

  #inLine(
    tx: ReadTx,
    assignment: Assignment,
    rows: readonly Pick<MergeRow, 'task_id'>[],
  ): Promise<ReadonlyMap<string, ResolvedMerge>> {
    if (rows.length === 0) return Promise.resolve(new Map())
    const key = `key:${specOf(assignment).concurrency?.key}`
    const ids = rows.map((row) => row.task_id)
    return this.#readInLine(tx, assignment.tenant, ids, key)
  }

  /** Reads the log: tasks that were cancelled, failed or lost take their merges along. */
  readonly handle = async (tx: Tx, events: readonly LoggedEvent[], now: Date): Promise<void> => {
    const ends = new Map<string, { readonly tenant: TenantId; readonly taskId: string; readonly event: MergeEvent }>()
    for (const { tenant, type, subject } of events) {
      const event = followUps[type]
      if (event !== undefined) ends.set(`${tenant}/${subject.id}`, { tenant, taskId: subject.id, event })
    }
    if (ends.size === 0) return
    for (const row of await lockMerges(tx, [...ends.values()])) {
      const { event } = ends.get(`${row.tenant_id}/${row.task_id}`)!
      if (mergeStates[row.state][event] !== null)
        await change(tx, row, event, { reason: reasons[event] ?? '' }, row.fence, now)
    }
    // Whom an attempt had taken along when it ended goes on by itself.
    const ended = [...ends.values()]
    for (const row of await lockTakenAlong(tx, ended)) {
      const reason = `${row.batch}, which was tested together with it, did not come to its end`
      await change(tx, row, 'requeue', { reason }, row.fence, now)
    }
  }
}

/** Of the line of a branch; more than one batch can hold. */
const mostLookedAt = 200

function specOf(assignment: Assignment): ResolvedMerge {
  return assignment.spec as ResolvedMerge
}

const followUps: Readonly<Record<string, MergeEvent>> = {
  'task.cancelled': 'cancel',
  'task.failed': 'fail',
  'task.timed-out': 'fail',
  'task.lost': 'requeue',
  'task.retrying': 'requeue',
}
const reasons: Partial<Record<MergeEvent, string>> = {
  cancel: 'its task was cancelled',
  fail: 'its task failed',
  requeue: 'its runner was lost; it begins again',
}

async function change(
  tx: Tx,
  row: MergeRow,
  event: MergeEvent,
  note: MergeNote,
  fence: number,
  now: Date,
): Promise<void> {
  const { atFault: _, ...told } = note
  const state = transition(mergeStates, `merge ${row.task_id}`, row.state, event)
  await saveMerge(tx, row, { ...told, state, fence: Math.max(fence, Number(row.fence)) }, now)
  await appendEvents(tx, [
    {
      tenant: row.tenant_id,
      type: `merge.${state}`,
      subject: { kind: 'merge', id: row.task_id, rev: row.rev + 1 },
      runId: row.run_id,
      at: now,
      data: { step: row.step, ...(told as JsonObject) },
    },
  ])
}
