import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../foundation/kernel/json.ts'
import { transition } from '../../foundation/kernel/state-table.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { appendEvents, type LoggedEvent } from '../../foundation/runtime/event-log.ts'
import type { CheckReport } from '../gates/gate-verdict-contract.ts'
import type { Assignment } from '../runners/exchange-contract.ts'
import { mergeErrors } from './merge-errors.ts'
import type { MergeJournal, MergeNote, MergeRecord } from './merge-journal.ts'
import { type MergeEvent, mergeStates } from './merge-states-contract.ts'
import { findMergeRow, insertMergeRows, lockMerges, type MergeRow, type NewMerge, saveMerge } from './merges-store.ts'

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

export type MergeRef = Pick<Assignment, 'tenant' | 'taskId' | 'runId' | 'step'>

/** The record of merges: what runners note, and what follows when their tasks end without a note. */
export class MergesService implements MergeJournal {
  readonly #database: Database
  readonly #experience: MergeExperience

  constructor(database: Database, experience: MergeExperience) {
    this.#database = database
    this.#experience = experience
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
  }
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
