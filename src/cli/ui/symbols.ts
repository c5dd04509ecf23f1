import type { Colors } from '../output.ts'
import type { RowMood } from './run-tree.ts'

export const symbolOf: Readonly<Record<RowMood, string>> = {
  open: '○',
  waiting: '◌',
  live: '●',
  good: '✔',
  bad: '✖',
  skipped: '⊘',
}

export const colorOf: Readonly<Record<RowMood, 'dim' | 'yellow' | 'cyan' | 'green' | 'red'>> = {
  open: 'dim',
  waiting: 'yellow',
  live: 'cyan',
  good: 'green',
  bad: 'red',
  skipped: 'dim',
}

/** The symbol of a mood in its colour. */
export function mark(mood: RowMood, colors: Colors): string {
  return colors[colorOf[mood]](symbolOf[mood])
}
