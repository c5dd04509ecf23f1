import type { RunDetail } from '../../orchestration/runs/runs-contract.ts'
import type { Output } from '../output.ts'
import { buildRunTree, type RowMood, type TreeRow } from './run-tree.ts'
import { mark } from './symbols.ts'

/** Progress as lines, for logs and pipes: one line when a step begins to run, waits, or ends. */
export interface Progress {
  show(detail: RunDetail): void
  /** Leaves the last picture where it is and gives the terminal back. */
  close(): Promise<void>
}

const told: ReadonlySet<RowMood> = new Set(['waiting', 'live', 'good', 'bad', 'skipped'])

export function createPlainProgress(out: Output, now: () => number = Date.now): Progress {
  const before = new Map<string, string>()
  return {
    show(detail) {
      for (const row of buildRunTree(detail, { now: now(), maxItems: 0 }).rows) {
        const state = row.mood === 'waiting' ? `waiting ${row.note}` : row.mood
        if (before.get(row.key) === state) continue
        before.set(row.key, state)
        if (told.has(row.mood)) out.lines(lineOf(row, out))
      }
    },
    close: async () => {},
  }
}

function lineOf(row: TreeRow, out: Output): string {
  const note = row.note === '' ? '' : `  ${row.note}`
  const elapsed = row.mood === 'live' || row.elapsed === '' ? '' : `  ${row.elapsed}`
  return `${mark(row.mood, out.colors)} ${row.label}${elapsed}${out.colors.dim(note)}`
}
