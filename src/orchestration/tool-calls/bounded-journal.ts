import type { Clock } from '../../foundation/kernel/clock.ts'
import type { SecretMasker } from '../../foundation/platform/secrets/index.ts'
import { mostTitle, mostToolName, type ToolCallNote } from './tool-calls-contract.ts'
import type { CallEnd, StartedCall, ToolJournal } from './tool-journal.ts'

export interface JournalBounds {
  /** Calls in a row that are told one by one, when none came before. */
  readonly burst: number
  /** And from then on so many a second. */
  readonly perSecond: number
  /** Told one by one in one attempt, at most. */
  readonly most: number
  /** Between two notes of gathered calls at first; it doubles with each, up to `longestGatherMs`. */
  readonly gatherMs: number
  readonly longestGatherMs: number
}

export const usualBounds: JournalBounds = Object.freeze({
  ...{ burst: 30, perSecond: 1, most: 1_000, gatherMs: 2_000, longestGatherMs: 60_000 },
})

export interface BoundedJournalOptions {
  readonly source: string
  readonly masker: SecretMasker
  /** Database time. */
  readonly clock: Clock
  readonly note: (note: ToolCallNote) => void
  /** Resolves when all notes are kept. */
  readonly flush: () => Promise<void>
  readonly bounds?: JournalBounds
}

/** Calls that may be under way at a time; of more, the end is not told. */
const mostOpen = 256
const mostTools = 50
const mostKey = 500
/** Characters of a title that are looked at. */
const mostRead = 16_384

interface OpenCall extends Pick<StartedCall, 'tool' | 'kind'> {
  readonly from: number
  /** Null: it is gathered. */
  readonly note: ToolCallNote | null
}

interface Gathered {
  readonly from: number
  readonly startedAt: string
  readonly tools: Map<string, number>
  readonly kinds: Set<string>
  calls: number
  failed: number
  refused: number
}

/**
 * Tells of calls one by one while they come at the pace of work, and of a flood in sums: an agent that does nothing but
 * call tools writes a few entries a minute. Counts are exact either way.
 */
export class BoundedJournal implements ToolJournal {
  readonly #options: BoundedJournalOptions
  readonly #bounds: JournalBounds
  readonly #open = new Map<string, OpenCall>()
  #tokens: number
  #refilledAt: number
  #told = 0
  #next = 0
  #gathered: Gathered | null = null
  #gatherMs: number
  #timer: NodeJS.Timeout | null = null
  #closed = false

  constructor(options: BoundedJournalOptions) {
    this.#options = options
    this.#bounds = options.bounds ?? usualBounds
    this.#tokens = this.#bounds.burst
    this.#gatherMs = this.#bounds.gatherMs
    this.#refilledAt = options.clock.monotonic()
  }

  started(key: string, call: StartedCall): void {
    const name = key.slice(0, mostKey)
    if (this.#closed || this.#open.has(name)) return
    const from = this.#options.clock.monotonic()
    if (!this.#take(from)) {
      this.#gather(call, from).calls += 1
      this.#follow(name, call, from, null)
      return
    }
    const note = this.#noteOf(call)
    this.#told += 1
    this.#follow(name, call, from, note)
    this.#options.note(note)
  }

  ended(key: string, end: CallEnd): void {
    const name = key.slice(0, mostKey)
    const call = this.#open.get(name)
    if (call === undefined) return
    this.#open.delete(name)
    if (call.note !== null) this.#end(call.note, end, call.from)
    else if (end !== 'completed') this.#gather(call, call.from, 0)[end] += 1
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      for (const { note, from } of this.#open.values()) if (note !== null) this.#end(note, 'abandoned', from)
      this.#open.clear()
      this.#tellGathered()
    }
    await this.#options.flush()
  }

  #take(now: number): boolean {
    const { burst, perSecond, most } = this.#bounds
    this.#tokens = Math.min(burst, this.#tokens + (Math.max(0, now - this.#refilledAt) / 1_000) * perSecond)
    this.#refilledAt = now
    if (this.#tokens < 1 || this.#told >= most) return false
    this.#tokens -= 1
    return true
  }

  #noteOf({ tool, kind, title }: StartedCall): ToolCallNote {
    return {
      ...{ n: this.#next++, source: this.#options.source, tool: this.#line(tool, mostToolName), kind },
      ...{ title: this.#line(title, mostTitle), state: 'started', calls: 1, failed: 0, refused: 0 },
      startedAt: this.#options.clock.now().toISOString(),
      durationMs: null,
    }
  }

  #end(note: ToolCallNote, state: CallEnd | 'abandoned', from: number): void {
    const durationMs = this.#since(from)
    const counts = { failed: state === 'failed' ? 1 : 0, refused: state === 'refused' ? 1 : 0 }
    this.#options.note({ ...note, ...counts, state, durationMs })
  }

  #follow(name: string, { tool, kind }: StartedCall, from: number, note: ToolCallNote | null): void {
    if (this.#open.size < mostOpen) this.#open.set(name, { tool, kind, from, note })
  }

  #gather({ tool, kind }: Pick<StartedCall, 'tool' | 'kind'>, from: number, calls = 1): Gathered {
    const gathered = this.#gatheringSince(from)
    const name = this.#line(tool, mostToolName)
    const known = gathered.tools.has(name) || gathered.tools.size < mostTools ? name : 'others'
    gathered.tools.set(known, (gathered.tools.get(known) ?? 0) + calls)
    gathered.kinds.add(kind)
    return gathered
  }

  #gatheringSince(from: number): Gathered {
    this.#gathered ??= {
      ...{ from, startedAt: this.#options.clock.now().toISOString(), tools: new Map(), kinds: new Set() },
      ...{ calls: 0, failed: 0, refused: 0 },
    }
    if (this.#timer === null && !this.#closed) {
      this.#timer = setTimeout(() => this.#tellGathered(), this.#gatherMs)
      this.#timer.unref()
      this.#gatherMs = Math.min(this.#bounds.longestGatherMs, this.#gatherMs * 2)
    }
    return this.#gathered
  }

  #tellGathered(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const gathered = this.#gathered
    if (gathered === null) return
    this.#gathered = null
    const { calls, failed, refused, startedAt, from } = gathered
    const tools = [...gathered.tools].sort(([, a], [, b]) => b - a)
    const [kind = 'other', ...others] = gathered.kinds
    this.#options.note({
      ...{ n: this.#next++, source: this.#options.source, state: 'gathered', calls, failed, refused, startedAt },
      tool: tools.length === 1 ? tools[0]![0] : 'several',
      kind: others.length === 0 ? kind : 'other',
      title: this.#line(tools.map(([name, count]) => `${name} (${count})`).join(', '), mostTitle),
      durationMs: this.#since(from),
    })
  }

  #since(from: number): number {
    return Math.max(0, Math.round(this.#options.clock.monotonic() - from))
  }

  /** Text of strangers on one line, without control characters and secrets. Masked before it is cut. */
  #line(text: string, most: number): string {
    const masked = this.#options.masker.text(text.slice(0, mostRead))
    const line = masked.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]+/gu, ' ').trim()
    return line.length <= most ? line : `${line.slice(0, most - 1).toWellFormed()}…`
  }
}
