import { roleOfPath } from './file-roles.ts'
import type { SecretRule } from './secret-rules.ts'

export type Confidence = 'likely' | 'possible' | 'in tests'

export interface Leak {
  readonly rule: string
  readonly what: string
  readonly path: string
  readonly line: number
  readonly masked: string
  readonly confidence: Confidence
  /** Only for leaks from the history. */
  readonly commit?: string
  readonly at?: number
  readonly author?: string
}

/** A known shape in ordinary files is `likely`; other shapes are `possible`; tests, examples and docs are a class of their own. */
export function confidenceOf(rule: Pick<SecretRule, 'specific'>, path: string): Confidence {
  const role = roleOfPath(path)
  if (role === 'test' || role === 'example' || role === 'docs' || role === 'vendored' || role === 'generated')
    return 'in tests'
  return rule.specific ? 'likely' : 'possible'
}

const order: Record<Confidence, number> = { likely: 0, possible: 1, 'in tests': 2 }

/** Most likely first, one entry per rule, file and line. */
export function rankLeaks(leaks: readonly Leak[]): Leak[] {
  const seen = new Set<string>()
  return leaks
    .filter((leak) => {
      const key = `${leak.rule}\0${leak.path}\0${leak.line}\0${leak.commit ?? ''}`
      return !seen.has(key) && seen.add(key)
    })
    .sort(
      (a, b) =>
        order[a.confidence] - order[b.confidence] ||
        compare(a.rule, b.rule) ||
        compare(a.path, b.path) ||
        a.line - b.line,
    )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
