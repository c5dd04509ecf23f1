import type { SpawnErrorCode } from './process-errors.ts'
import type { LimitBreach, ProcessLimits } from './process-limits.ts'

/** What the runner tells the supervisor, one JSON value a line. The end of the stream means: end everything. */
export type SupervisorRequest = SpawnRequest | { readonly type: 'stop'; readonly id: number; readonly graceMs: number }

export interface SpawnRequest {
  readonly type: 'spawn'
  readonly id: number
  readonly marker: string
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** A file or FIFO; null for none. It is removed once it is open. */
  readonly stdin: string | null
  /** FIFOs whose reading ends the runner holds open. They are removed once they are open. */
  readonly stdout: string
  readonly stderr: string
  readonly graceMs: number
  readonly lingerMs: number
  /** Null: none. */
  readonly limits: ProcessLimits | null
}

/** What the supervisor tells the runner. */
export type SupervisorReply =
  | { readonly type: 'ready'; readonly pid: number }
  | { readonly type: 'started'; readonly id: number; readonly pid: number; readonly start: string }
  | { readonly type: 'refused'; readonly id: number; readonly code: SpawnErrorCode; readonly message: string }
  | { readonly type: 'exited'; readonly id: number; readonly code: number | null; readonly signal: string | null }
  | GoneReply
  | { readonly type: 'samples'; readonly samples: readonly UsageSample[] }

/** The main process has ended and nothing of its family is left, but for `survivors`. */
export interface GoneReply {
  readonly type: 'gone'
  readonly id: number
  readonly code: number | null
  readonly signal: string | null
  readonly cpuSeconds: number | null
  readonly maxRssBytes: number | null
  readonly networkBytes: number | null
  readonly wallSeconds: number
  readonly leftovers: number
  readonly survivors: number
  /** Why it was ended by us, or by the kernel for us; null: it was not. */
  readonly breach: LimitBreach | null
}

export interface UsageSample {
  readonly id: number
  readonly cpuSeconds: number
  readonly rssBytes: number
}

/** What the supervisor is started with, as its one argument. */
export interface SupervisorSettings {
  readonly journal: string
  readonly runner: { readonly pid: number; readonly start: string }
  /** How long processes have after a polite signal when the runner is gone. */
  readonly orphanGraceMs: number
  readonly failpoints: string
}

/** Turns a byte stream into the JSON values of its lines. */
export function jsonLines<T>(onValue: (value: T) => void): (chunk: Buffer) => void {
  let held: Buffer[] = []
  return (chunk) => {
    let start = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      const line = held.length === 0 ? chunk.subarray(start, end) : Buffer.concat([...held, chunk.subarray(start, end)])
      held = []
      start = end + 1
      onValue(JSON.parse(line.toString('utf8')) as T)
    }
    if (start < chunk.length) held.push(Buffer.from(chunk.subarray(start)))
  }
}
