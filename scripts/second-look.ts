import type { FileSummary, TestSummary } from './test-reporter.ts'

/** How a process has ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: string | null
}

/** More failed files than these are no matter of a busy machine. */
const mayBeUnsteady = 3
/** What vitest ends with where tests have failed, and nothing else has. */
const testsFailed = 1

/** The files to run once more, each alone; none where a second look can tell nothing. */
export function filesToLookAt(first: TestSummary | null, ended: Ended, args: readonly string[]): readonly string[] {
  // Of a part of the suite whoever asked for it sees the end.
  const isWhole = args.every((arg) => arg.startsWith('--'))
  if (first === null || !isWhole || ended.code !== testsFailed || ended.signal !== null) return []
  if (first.unhandled > 0 || first.unfinished > 0) return []
  const failed = first.files.filter((entry) => entry.failed > 0).map(({ file }) => file)
  return failed.length > mayBeUnsteady ? [] : failed
}

export interface Settled {
  /** The files after the second look. */
  readonly files: readonly FileSummary[]
  /** Files that failed beside the others and passed alone, as they were when they failed. */
  readonly unsteady: readonly FileSummary[]
  /** Whether nothing fails any more, and the second run itself came to a good end. */
  readonly isGood: boolean
}

/**
 * What a second look at failed files has shown. A file passes by it only where each of its tests has passed then, the ones
 * that the first run could not come to included; a second run that did not end as it should shows nothing.
 */
export function settle(first: TestSummary, second: TestSummary | null, ended: Ended): Settled {
  const nothing: Settled = { files: first.files, unsteady: [], isGood: false }
  if (second === null || second.unhandled > 0 || second.unfinished > 0 || ended.signal !== null) return nothing
  const anyFailed = second.files.some(({ failed }) => failed > 0)
  if (ended.code !== (anyFailed ? testsFailed : 0)) return nothing
  const seen = new Map(second.files.map((entry) => [entry.file, entry]))
  const unsteady: FileSummary[] = []
  const files = first.files.map((before) => {
    const now = seen.get(before.file)
    if (now === undefined) return before
    if (before.failed === 0) return now.failed > 0 ? now : before
    if (now.failed > 0) return now
    if (!holdsAll(before, now)) return before
    unsteady.push(before)
    return now
  })
  return { files, unsteady, isGood: ended.code === 0 && files.every(({ failed }) => failed === 0) }
}

/** Whether all that is to be run passed, and that is at least what was there before. */
function holdsAll(before: FileSummary, now: FileSummary): boolean {
  const left = [...now.passedNames]
  for (const name of before.toRun) {
    const at = left.indexOf(name)
    if (at === -1) return false
    left.splice(at, 1)
  }
  return now.passed > 0 && now.passed === now.toRun.length
}
