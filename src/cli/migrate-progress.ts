import type { MoveOptions } from '../app/migrate/move-database.ts'
import type { Output } from './output.ts'

export interface MigrateProgress {
  readonly tell: MoveOptions['onProgress']
  /** Leaves the terminal as a new line. May be called twice. */
  end(): void
}

/** How often a line on a terminal changes. */
const everyMs = 100

/** One line that changes, on a terminal; nothing anywhere else. */
export function createMigrateProgress(out: Output, monotonic: () => number = () => performance.now()): MigrateProgress {
  let shown = false
  let last = Number.NEGATIVE_INFINITY
  return {
    tell(progress) {
      if (!out.isTerminal || monotonic() - last < everyMs) return
      last = monotonic()
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
