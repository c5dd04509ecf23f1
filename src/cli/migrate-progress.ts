import type { MoveOptions } from '../app/migrate/move-database.ts'
import type { Output } from './output.ts'

export interface MigrateProgress {
  readonly tell: MoveOptions['onProgress']
  /** Leaves the terminal as a new line. May be called twice. */
  end(): void
}

/** How often a line on a terminal changes, and how often there is a further line elsewhere. */
const everyMs = 100
const lineEveryMs = 5_000

/** One line that changes, on a terminal; a line now and then on standard error elsewhere. */
export function createMigrateProgress(out: Output, monotonic: () => number = () => performance.now()): MigrateProgress {
  let shown = false
  // What is done before anybody could wonder needs no line.
  let last = out.isTerminal ? Number.NEGATIVE_INFINITY : monotonic()
  return {
    tell(progress) {
      if (monotonic() - last < (out.isTerminal ? everyMs : lineEveryMs)) return
      last = monotonic()
      if (!out.isTerminal) return out.note(describe(progress))
      shown = true
      out.stdout.write(`\r\u001b[2K${describe(progress).slice(0, out.width - 1)}`)
    },
    end() {
      if (shown) out.stdout.write('\r\u001b[2K')
      shown = false
    },
  }
}

function describe(progress: Parameters<MoveOptions['onProgress']>[0]): string {
  if (progress.phase === 'blobs') return `blobs ${progress.blobs}, ${progress.bytes.toLocaleString('en')} bytes`
  const { phase, table, done, total } = progress
  return `${phase} ${table} ${done.toLocaleString('en')} of ${total.toLocaleString('en')}`
}
