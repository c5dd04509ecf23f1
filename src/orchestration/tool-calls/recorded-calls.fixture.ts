import { systemClock } from '../../foundation/kernel/clock.ts'
import { type LeasedNote, ToolCallNotes } from './tool-call-notes.ts'

/** What agents tell of their tool calls, as the keeper would get it. */
export class RecordedCalls {
  readonly notes: LeasedNote[] = []
  readonly #notes = new ToolCallNotes({
    keep: async (notes) => void this.notes.push(...notes),
    clock: systemClock,
    onError: (error) => {
      throw error
    },
  })
  readonly open = this.#notes.open

  /** `run completed: make test`, by task, in the order in which they began. */
  of(taskId: string): readonly string[] {
    const own = this.notes.filter((note) => note.taskId === taskId)
    const newest = new Map(own.map((note) => [note.n, note]))
    return [...newest.values()].map(({ tool, state, title }) => `${tool} ${state}: ${title}`)
  }
}
