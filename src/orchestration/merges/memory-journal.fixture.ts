import type { Assignment } from '../runners/exchange-contract.ts'
import type { ResolvedMerge } from '../workflows/task-contract.ts'
import { fitTogether } from './batch-rules.ts'
import type { BatchNote, Landed, MergeJournal, MergeNote, Parted, WaitingMerge } from './merge-journal.ts'
import { type MergeEvent, type MergeState, mergeStates } from './merge-states-contract.ts'

interface Entry extends WaitingMerge {
  state: MergeState
  target: string | null
  candidate: string | null
  landed: Landed | null
  batch: string | null
  most: number | null
  readonly seen: MergeState[]
  readonly reasons: string[]
}

/** The journal of one queue in memory, by the table of states and the rules of batches of the product. For tests and measurements. */
export class MemoryQueueJournal implements MergeJournal {
  readonly entries = new Map<string, Entry>()
  /** Called before several are noted at once. */
  onNoteAll: (event: string, notes: readonly BatchNote[]) => void = () => {}

  /** In the order of arrival. */
  enter(taskId: string, spec: ResolvedMerge, step: string): void {
    this.entries.set(taskId, {
      ...{ taskId, runId: 'run_1', step, item: null, spec, state: 'queued', target: null, candidate: null },
      ...{ landed: null, batch: null, most: null, seen: [], reasons: [] },
    })
  }

  async read({ taskId }: Assignment) {
    return this.#of(taskId)
  }

  async weigh(_: Assignment, reports: Parameters<MergeJournal['weigh']>[1]) {
    return reports
  }

  async note({ taskId }: Assignment, event: MergeEvent, note: MergeNote = {}): Promise<void> {
    this.#change(this.#of(taskId), event, note)
  }

  async behind({ taskId }: Assignment, usual: number): Promise<readonly WaitingMerge[]> {
    const queued = [...this.entries.values()].filter((entry) => entry.state === 'queued' && entry.taskId !== taskId)
    return fitTogether(this.#of(taskId), queued, usual)
  }

  async noteAll({ taskId: leader }: Assignment, event: 'test' | 'land' | 'merge', notes: readonly BatchNote[]) {
    this.onNoteAll(event, notes)
    const entries = notes.map(({ taskId }) => this.#of(taskId))
    const ours = ({ state, batch }: Entry) => state === 'queued' || (state === 'testing' && batch === leader)
    if (event !== 'merge' && !entries.slice(1).every(ours)) return false
    notes.forEach(({ note }, index) => {
      const entry = entries[index]!
      if (event === 'test') this.#change(entry, 'begin', note)
      this.#change(entry, event, note)
    })
    return true
  }

  async part({ taskId: leader }: Assignment, merges: readonly Parted[], reason: string): Promise<void> {
    for (const { taskId, most } of merges) {
      const entry = this.#of(taskId)
      if (entry.batch === leader) this.#change(entry, 'requeue', { reason })
      entry.most = most
    }
  }

  #of(taskId: string): Entry {
    const entry = this.entries.get(taskId)
    if (entry === undefined) throw new Error(`${taskId} is not in the queue`)
    return entry
  }

  #change(entry: Entry, event: MergeEvent, note: MergeNote): void {
    const state = mergeStates[entry.state][event]
    if (state === null) throw new Error(`${entry.taskId} is ${entry.state} and does not take ${event}`)
    entry.seen.push(state)
    if (note.reason !== undefined) entry.reasons.push(note.reason)
    Object.assign(entry, { state, batch: note.batch?.leader ?? null, landed: note.landed ?? null })
    entry.target = note.target ?? entry.target
    entry.candidate = note.candidate ?? entry.candidate
  }
}
