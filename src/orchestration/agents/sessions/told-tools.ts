import { type ToldTool, toldToolSchema } from '../../tool-calls/told-tool-contract.ts'
import type { ToolJournal } from '../../tool-calls/tool-journal.ts'

/** What was told in a form that is open to strangers; null: it is something else. */
export function readToldTool(value: unknown): ToldTool | null {
  const parsed = toldToolSchema.safeParse(value)
  return parsed.success ? parsed.data : null
}

/** Calls whose end is remembered, so that whoever tells it again, as snapshots do, tells nothing new. */
const mostRemembered = 5_000

/** Passes on what an agent tells of its tools, each beginning and each end once, whatever comes twice. */
export class ToldTools {
  readonly #journal: ToolJournal
  readonly #ended = new Set<string>()

  constructor(journal: ToolJournal) {
    this.#journal = journal
  }

  take({ call, tool, state, kind = 'other', title }: ToldTool): void {
    if (this.#ended.has(call)) return
    this.#journal.started(call, { tool, kind, title: title ?? tool })
    if (state === 'started') return
    this.#journal.ended(call, state)
    this.#ended.add(call)
    if (this.#ended.size > mostRemembered) this.#ended.delete(this.#ended.values().next().value!)
  }
}
