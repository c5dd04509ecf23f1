/** Where a value is, in the terms of the definition: `['steps', 'build', 'command', 0]`. */
export type Path = readonly (string | number)[]

/** One thing that is wrong with a definition. Lines and columns count from 1; null where there is no text to point at. */
export interface Problem {
  readonly file: string
  readonly line: number | null
  readonly column: number | null
  /** `steps.build.command[0]` */
  readonly path: string
  readonly message: string
  readonly expected: string | null
}

/** What a place can be narrowed to: the key itself, or a snippet of the text and an offset in it. */
export interface Detail {
  readonly expected?: string
  readonly key?: boolean
  readonly snippet?: string
  readonly offset?: number
}

export type Locate = (path: Path, detail: Detail) => { readonly line: number; readonly column: number } | null

/** Gathers problems and warnings; the same one at the same place is kept once. */
export interface ProblemLog {
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
  report(path: Path, message: string, detail?: Detail): void
  /** A problem of the text itself, whose place is known. */
  add(problem: Pick<Problem, 'line' | 'column' | 'message' | 'expected'>): void
  warn(path: Path, message: string, detail?: Detail): void
}

/** More would help nobody. */
const maxProblems = 200

export function createProblemLog(file: string, locate: Locate): ProblemLog {
  const problems: Problem[] = []
  const warnings: Problem[] = []
  const seen = new Set<string>()
  const keep = (list: Problem[], problem: Problem) => {
    const key = JSON.stringify([problem.line, problem.column, problem.path, problem.message])
    if (seen.has(key)) return
    seen.add(key)
    list.push(problem)
  }
  const add = (list: Problem[], path: Path, message: string, detail: Detail) => {
    if (list.length >= maxProblems) return
    const place = locate(path, detail)
    keep(list, {
      file,
      line: place?.line ?? null,
      column: place?.column ?? null,
      path: showPath(path),
      message,
      expected: detail.expected ?? null,
    })
  }
  return {
    problems,
    warnings,
    add: (problem) => {
      if (problems.length < maxProblems) keep(problems, { file, path: '', ...problem })
    },
    report: (path, message, detail = {}) => add(problems, path, message, detail),
    warn: (path, message, detail = {}) => add(warnings, path, message, detail),
  }
}

export function showPath(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number' || (text !== '' && /^\d+$/.test(part))) return `${text}[${part}]`
    if (!/^[\w-]+$/.test(part)) return `${text}[${JSON.stringify(part)}]`
    return text === '' ? part : `${text}.${part}`
  }, '')
}

/** `flow.yaml:12:5: steps.build: message (expected ...)`: one line, as compilers write it. */
export function formatProblem(problem: Problem): string {
  const place = problem.line === null ? problem.file : `${problem.file}:${problem.line}:${problem.column}`
  const path = problem.path === '' ? '' : `${problem.path}: `
  const expected = problem.expected === null ? '' : ` (expected ${problem.expected})`
  return oneLine(`${place}: ${path}${problem.message}${expected}`)
}

/** Definitions are strangers' text: nothing in them may move the cursor or start a line of its own. */
function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
}

/** By place: lines first, then columns; what has no place comes last. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  const rank = (value: number | null) => value ?? Number.MAX_SAFE_INTEGER
  return problems.toSorted((a, b) => rank(a.line) - rank(b.line) || rank(a.column) - rank(b.column))
}
