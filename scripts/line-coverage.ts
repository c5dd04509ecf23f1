import { readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { readChildCoverage } from './child-coverage.ts'

interface IstanbulFile {
  readonly statementMap: Readonly<
    Record<string, { readonly start: { readonly line: number; readonly column: number } }>
  >
  readonly s: Readonly<Record<string, number>>
}

export interface FileCoverage {
  /** From the root of the repository, with forward slashes. */
  readonly path: string
  readonly total: number
  readonly covered: number
  /** Numbers of the lines that never ran. */
  readonly missing: readonly number[]
}

/** The lines on which a statement begins, and how many of them ran: in the test processes, or in those they started. */
export function readLineCoverage(root: string, reportFile: string, childFolder: string): FileCoverage[] {
  const ranAt = readChildCoverage(childFolder, root)
  const report = JSON.parse(readFileSync(reportFile, 'utf8')) as Record<string, IstanbulFile>
  return Object.entries(report).map(([file, { statementMap, s }]) => {
    const starts = lineStarts(readFileSync(file, 'utf8'))
    const lines = new Map<number, boolean>()
    for (const [id, { start }] of Object.entries(statementMap)) {
      const ran = s[id]! > 0 || ranAt(file, starts[start.line - 1]! + start.column)
      lines.set(start.line, ran || (lines.get(start.line) ?? false))
    }
    const missing = [...lines].filter(([, ran]) => !ran).map(([line]) => line)
    const path = relative(join(root, '.'), file).split(sep).join('/')
    return { path, total: lines.size, covered: lines.size - missing.length, missing: missing.sort((a, b) => a - b) }
  })
}

function lineStarts(text: string): number[] {
  return [0, ...[...text.matchAll(/\n/g)].map((match) => match.index + 1)]
}
