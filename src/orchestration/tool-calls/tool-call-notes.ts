import type { Clock } from '../../foundation/kernel/clock.ts'
import type { RunId, TaskId, TenantId } from '../../foundation/kernel/ids.ts'
import type { Assignment } from '../runners/exchange-contract.ts'
import { BoundedJournal, type JournalBounds } from './bounded-journal.ts'
import type { ToolCallNote } from './tool-calls-contract.ts'
import type { OpenToolJournal } from './tool-journal.ts'

/** A note with the lease that it comes from. */
export interface LeasedNote extends ToolCallNote {
  readonly tenant: TenantId
  readonly runId: RunId
  readonly taskId: TaskId
  readonly step: string
  readonly item: number | null
  readonly attempt: number
  readonly fence: number
}

/** Where notes are kept: in the database, or by a server. The same note may come twice. */
export type KeepNotes = (notes: readonly LeasedNote[]) => Promise<void>

export interface ToolCallNotesOptions {
  readonly keep: KeepNotes
  /** Database time. */
  readonly clock: Clock
  /** Told when notes are given up: they are worth some patience, but not the work. */
  readonly onError: (error: unknown) => void
  readonly bounds?: JournalBounds
  /** Between the first note of a batch and its keeping. Default 250. */
  readonly gatherMs?: number
  /** Before a second try, and twice as long before each further one. Default 200. */
  readonly pauseMs?: number
}

/** Notes in one call, at most. */
const mostNotes = 500
const tries = 6

/** Gathers what the agents of a process tell of their tool calls, and keeps it batch by batch. */
export class ToolCallNotes {
  readonly #options: ToolCallNotesOptions
  #waiting: LeasedNote[] = []
  #timer: NodeJS.Timeout | null = null
  #keeping: Promise<void> = Promise.resolve()

  constructor(options: ToolCallNotesOptions) {
    this.#options = options
  }

  readonly open: OpenToolJournal = (assignment, source, masker) => {
    const { clock, bounds } = this.#options
    return new BoundedJournal({
      ...{ source, masker, clock },
      note: (note) => this.#put(assignment, note),
      flush: () => this.#flush(),
      ...(bounds === undefined ? {} : { bounds }),
    })
  }

  #put({ tenant, runId, taskId, step, item, attempt, fence }: Assignment, note: ToolCallNote): void {
    this.#waiting.push({ ...note, tenant, runId, taskId, step, item, attempt, fence })
    this.#timer ??= setTimeout(() => void this.#flush(), this.#options.gatherMs ?? 250)
  }

  #flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const notes = this.#waiting
    this.#waiting = []
    if (notes.length > 0) this.#keeping = this.#keeping.then(() => this.#keepAll(notes))
    return this.#keeping
  }

  async #keepAll(notes: readonly LeasedNote[]): Promise<void> {
    for (let from = 0; from < notes.length; from += mostNotes) await this.#keep(notes.slice(from, from + mostNotes))
  }

  async #keep(notes: readonly LeasedNote[]): Promise<void> {
    const { keep, onError, pauseMs = 200 } = this.#options
    for (let attempt = 1; ; attempt++) {
      try {
        return await keep(notes)
      } catch (error) {
        if (attempt >= tries) return onError(error)
        await new Promise((resolve) => setTimeout(resolve, pauseMs * 2 ** (attempt - 1)))
      }
    }
  }
}
