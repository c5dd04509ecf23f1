import { Box, Text } from 'ink'
import { createElement as h, type ReactElement } from 'react'
import type { RunDetail } from '../../orchestration/runs/runs-contract.ts'
import { buildRunTree, type TreeRow } from './run-tree.ts'
import { colorOf, symbolOf } from './symbols.ts'

export interface LiveTreeProps {
  readonly detail: RunDetail
  readonly now: number
  readonly columns: number
  readonly maxRows: number
  /** Drawn below the tree, for example that the run is being cancelled. */
  readonly note: string | null
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** The task tree as an ink component. It draws what it is given: time passes outside. */
export function LiveTree({ detail, now, columns, maxRows, note }: LiveTreeProps): ReactElement {
  const tree = buildRunTree(detail, { now, maxRows: Math.max(3, maxRows - 3) })
  const labels = Math.min(
    40,
    Math.floor(columns / 2),
    Math.max(8, ...tree.rows.map((row) => row.label.length + row.depth * 2)),
  )
  const head = h(
    Box,
    { key: 'head', gap: 1 },
    h(Text, { bold: true, wrap: 'truncate-end' }, tree.title),
    h(Box, { flexShrink: 0 }, h(Text, styleOf(tree.mood), tree.status)),
  )
  const rows = tree.rows.map((row) => h(Row, { key: row.key, row, labels, now }))
  const foot = note === null ? [] : [h(Text, { key: 'note', color: 'yellow' }, note)]
  return h(Box, { flexDirection: 'column', width: columns }, head, ...rows, ...foot)
}

function Row({ row, labels, now }: { row: TreeRow; labels: number; now: number }): ReactElement {
  const symbol = row.mood === 'live' ? frames[Math.floor(now / 200) % frames.length]! : symbolOf[row.mood]
  return h(
    Box,
    { gap: 1, paddingLeft: row.depth * 2 },
    h(Text, styleOf(row.mood), symbol),
    h(Box, { width: labels - row.depth * 2, flexShrink: 0 }, h(Text, { wrap: 'truncate-end' }, row.label)),
    h(Box, { width: 8, flexShrink: 0 }, h(Text, { dimColor: true }, row.elapsed)),
    h(Text, { dimColor: row.mood !== 'bad', wrap: 'truncate-end' }, row.note),
  )
}

function styleOf(mood: TreeRow['mood']): { color?: string; dimColor?: boolean } {
  const color = colorOf[mood]
  return color === 'dim' ? { dimColor: true } : { color }
}
