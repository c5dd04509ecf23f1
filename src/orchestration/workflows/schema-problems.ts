import type { z } from '../../foundation/kernel/schema.ts'
import { didYouMean } from './did-you-mean.ts'
import type { Path, ProblemLog } from './problem.ts'

/** Of unknown keys of one map, so many are reported. */
const maxKeys = 50

/** Parses one part of a definition; what is wrong goes to the log, in our words, at its place. */
export function parsePart<S extends z.ZodType>(
  schema: S,
  value: unknown,
  path: Path,
  log: ProblemLog,
): z.output<S> | null {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  for (const issue of parsed.error.issues) reportIssue(issue, value, path, log)
  return null
}

function reportIssue(issue: z.core.$ZodIssue, root: unknown, base: Path, log: ProblemLog): void {
  const inner = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
  const path = [...base, ...inner]
  const value = inner.reduce<unknown>((at, part) => (at as Record<string | number, unknown> | undefined)?.[part], root)
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = issue.message.startsWith('known keys: ') ? issue.message.slice(12).split(', ') : []
      for (const key of issue.keys.slice(0, maxKeys)) {
        const detail = {
          key: true,
          ...(known.length > 0 ? { expected: `one of ${known.filter((k) => k !== 'kind').join(', ')}` } : {}),
        }
        log.report([...path, key], `unknown key "${key}"${didYouMean(key, known)}`, detail)
      }
      return
    }
    case 'invalid_union':
      reportUnion(issue, root, base, log, path, value)
      return
    case 'invalid_key':
      log.report(path, `${JSON.stringify(inner.at(-1))} cannot be a name`, {
        key: true,
        ...expectedOf(issue.issues[0]),
      })
      return
    case 'invalid_type':
      if (value === undefined) log.report(path, `${String(inner.at(-1) ?? 'it')} is missing`, expectedOf(issue))
      else log.report(path, `found ${describe(value)}`, expectedOf(issue))
      return
    default:
      log.report(path, `found ${describe(value)}`, expectedOf(issue))
  }
}

/** Of the forms a value may have, the one it comes nearest to tells what is wrong; where none is near, all are named. */
function reportUnion(
  issue: Extract<z.core.$ZodIssue, { code: 'invalid_union' }>,
  root: unknown,
  base: Path,
  log: ProblemLog,
  path: Path,
  value: unknown,
): void {
  const depth = (issues: readonly z.core.$ZodIssue[]) => Math.max(0, ...issues.map((each) => each.path.length))
  const branches = issue.errors.filter((issues) =>
    issues.some((each) => each.path.length > 0 || each.code === 'unrecognized_keys'),
  )
  const best = branches.toSorted((a, b) => a.length - b.length || depth(b) - depth(a))[0]
  if (best === undefined || typeof value !== 'object') {
    log.report(path, `found ${describe(value)}`, expectedOf(issue))
    return
  }
  for (const each of best) reportIssue({ ...each, path: [...issue.path, ...each.path] }, root, base, log)
}

function expectedOf(issue: z.core.$ZodIssue | undefined): { expected?: string } {
  const expected = issue === undefined ? null : words(issue)
  return expected === null ? {} : { expected }
}

function words(issue: z.core.$ZodIssue): string | null {
  // Our own fields say what they expect in so many words.
  if (issue.message.startsWith('expected ')) return issue.message.slice('expected '.length)
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'string'
        ? 'text'
        : issue.expected === 'record' || issue.expected === 'object'
          ? 'a map of keys'
          : issue.expected === 'array'
            ? 'a list'
            : issue.expected
    case 'invalid_value':
      return `one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`
    case 'too_small':
      return `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unitOf(issue.origin, issue.minimum)}`
    case 'too_big':
      return `at most ${issue.maximum}${unitOf(issue.origin, issue.maximum)}`
    case 'invalid_union':
      return [...new Set(issue.errors.flat().map(words))].filter((each) => each !== null).join(' or ') || null
    default:
      return issue.message
  }
}

function unitOf(origin: string, count: number | bigint): string {
  const plural = Number(count) === 1 ? '' : 's'
  return origin === 'string' ? ` character${plural}` : origin === 'array' ? ` element${plural}` : ''
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
