import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

interface ScriptCoverage {
  readonly url: string
  readonly functions: readonly { readonly ranges: readonly Range[] }[]
}

/** Answers whether some child process ran the character at `offset` of `file`. */
export type RanAt = (file: string, offset: number) => boolean

/**
 * Reads what Node wrote for each process under NODE_V8_COVERAGE. The sources run with their types blanked out, so that
 * offsets are those of the source. A process that was killed has written nothing.
 */
export function readChildCoverage(folder: string, root: string): RanAt {
  const scripts = new Map<string, (readonly Range[])[]>()
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
    const { result } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { result: ScriptCoverage[] }
    for (const { url, functions } of result) {
      if (!url.startsWith('file://')) continue
      const file = fileURLToPath(url.split('?')[0]!)
      if (!file.startsWith(root) || file.includes('/node_modules/')) continue
      const known = scripts.get(file) ?? []
      known.push(functions.flatMap(({ ranges }) => ranges))
      scripts.set(file, known)
    }
  }
  return (file, offset) => (scripts.get(file) ?? []).some((ranges) => innermostCount(ranges, offset) > 0)
}

/** Ranges nest; the smallest that holds the offset tells how often it ran. */
function innermostCount(ranges: readonly Range[], offset: number): number {
  let best: Range | undefined
  for (const range of ranges) {
    if (offset < range.startOffset || offset >= range.endOffset) continue
    if (best === undefined || range.endOffset - range.startOffset < best.endOffset - best.startOffset) best = range
  }
  return best?.count ?? 0
}
