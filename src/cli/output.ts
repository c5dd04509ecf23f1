import type { Writable } from 'node:stream'
import picocolors from 'picocolors'

export type Colors = ReturnType<typeof picocolors.createColors>

export interface OutputStream extends Writable {
  readonly isTTY?: boolean
  readonly columns?: number
}

export interface OutputOptions {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly json: boolean
  readonly color: boolean
}

/**
 * Where a command speaks. Results go to standard output: lines for people, or one JSON document a line with `--json`.
 * Everything else (notes, failures) goes to standard error, so that results can be piped.
 */
export interface Output {
  readonly json: boolean
  readonly colors: Colors
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  /** True where a person sees standard output on a terminal. */
  readonly isTerminal: boolean
  readonly width: number
  /** Lines for people; nothing with `--json`. */
  lines(...lines: readonly string[]): void
  /** A document for programs; nothing without `--json`. */
  document(value: unknown): void
  /** A remark for people, on standard error; nothing with `--json`. */
  note(text: string): void
  /** Waits until everything has left the process. */
  flush(): Promise<void>
}

export function createOutput({ stdout, stderr, json, color }: OutputOptions): Output {
  const isTerminal = stdout.isTTY === true && !json
  return {
    json,
    colors: picocolors.createColors(color),
    stdout,
    stderr,
    isTerminal,
    get width() {
      // Some terminals say 0 for "unknown".
      return Math.max(40, stdout.columns || 80)
    },
    lines: (...lines) => {
      if (!json && lines.length > 0) stdout.write(`${lines.join('\n')}\n`)
    },
    document: (value) => {
      if (json) stdout.write(`${JSON.stringify(value)}\n`)
    },
    note: (text) => {
      if (!json) stderr.write(`${text}\n`)
    },
    flush: async () => {
      for (const stream of [stdout, stderr]) {
        if (!stream.destroyed) await new Promise((resolve) => stream.write('', resolve))
      }
    },
  }
}
