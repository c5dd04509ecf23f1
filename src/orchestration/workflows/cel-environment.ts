import { Environment } from '@marcbachmann/cel-js'
import { compileRegex, type LinearRegex } from './linear-regex.ts'

const options = {
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: 1_000, maxDepth: 50, maxListElements: 250, maxMapEntries: 250, maxCallArguments: 8 },
}

const arithmetic: readonly (readonly [string, (a: number, b: number) => number])[] = [
  ['+', (a, b) => a + b],
  ['-', (a, b) => a - b],
  ['*', (a, b) => a * b],
  ['/', (a, b) => a / b],
]

/**
 * The library's own `matches` backtracks and its `join` wants a static type; ours take their place under names of the
 * same length, so that positions in the source stay right.
 */
export const renamedMethods: Readonly<Record<string, string>> = { matches: 'matchRe', join: 'jOin' }

/** An environment of the library with our limits and our functions. `anyName`: names that are not registered are values of any type. */
export function createEnvironment(anyName: boolean): Environment {
  const sync = { async: false }
  const environment = new Environment({ ...options, unlistedVariablesAreDyn: anyName })
    .registerFunction(
      'string.matchRe(string): bool',
      (text: string, pattern: string) => regex(pattern).test(text),
      sync,
    )
    .registerFunction('list.jOin(string): string', joinTexts, sync)
    .registerFunction('list.jOin(): string', (list: Iterable<unknown>) => joinTexts(list, ''), sync)
  for (const [op, compute] of arithmetic) {
    environment
      .registerOperator(`int ${op} double: double`, (a: bigint, b: number) => compute(Number(a), b))
      .registerOperator(`double ${op} int: double`, (a: number, b: bigint) => compute(a, Number(b)))
  }
  return environment
}

/** Words of the language: no name of ours may be one of them. */
export const celWords: ReadonlySet<string> = new Set([
  ...[
    'as',
    'break',
    'const',
    'continue',
    'else',
    'false',
    'for',
    'function',
    'if',
    'import',
    'in',
    'let',
    'loop',
    'null',
  ],
  ...['namespace', 'package', 'prototype', 'return', 'true', 'var', 'void', 'while'],
  ...createEnvironment(false)
    .getDefinitions()
    .variables.map((variable) => variable.name),
])

const patterns = new Map<string, LinearRegex>()

/** A compiled pattern; recent ones are kept. Throws `RegexSyntaxError`. */
export function regex(pattern: string): LinearRegex {
  const known = patterns.get(pattern)
  if (known !== undefined) return known
  const made = compileRegex(pattern)
  if (patterns.size >= 200) patterns.delete(patterns.keys().next().value as string)
  patterns.set(pattern, made)
  return made
}

function joinTexts(list: Iterable<unknown>, separator: string): string {
  return [...list]
    .map((part) => {
      if (typeof part === 'object' && part !== null)
        throw new Error('join() takes a list of texts, numbers or booleans')
      return part === null ? '' : String(part)
    })
    .join(separator)
}
