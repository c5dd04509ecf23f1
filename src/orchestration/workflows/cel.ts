import type { ASTNode } from '@marcbachmann/cel-js'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import { freeNames, introducedName, walk } from './cel-ast.ts'
import { estimate, type Lookup } from './cel-cost.ts'
import { createEnvironment, regex, renamedMethods } from './cel-environment.ts'
import { globalFunctions, methods } from './cel-functions.ts'
import { fromCel, toCel } from './cel-value.ts'
import { workflowLimits } from './workflow-contract.ts'

/** What is wrong with an expression, and where in its source (0-based). */
export class CelProblem extends Error {
  readonly at: number
  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

export interface CelExpression {
  readonly source: string
  readonly ast: ASTNode
  /** The value of the expression. Throws `CelProblem`. Pure, synchronous, and bounded before it starts. */
  evaluate(lookup: Lookup): JsonValue
}

/** Beyond this an evaluation is refused before it starts; it is about 50 ms. */
const maxCost = 500_000
/** Beyond this a result is refused before it is computed: a value for each unit, or 16 characters. */
const maxWeight = 262_144

const environment = createEnvironment(true)

const compiled = new Map<string, CelExpression>()

/** Parses an expression and refuses functions that are not offered. Throws `CelProblem`. Recent results are kept. */
export function compileCel(source: string): CelExpression {
  const known = compiled.get(source)
  if (known !== undefined) return known
  const expression = compile(source)
  if (compiled.size >= 2_000) compiled.delete(compiled.keys().next().value as string)
  compiled.set(source, expression)
  return expression
}

function compile(source: string): CelExpression {
  const parsed = parseCel(source)
  const run = environment.parse(rename(source, parsed))
  return {
    source,
    ast: parsed,
    evaluate(lookup) {
      const bound = estimate(parsed, lookup)
      if (bound.cost > maxCost) {
        throw new CelProblem('the expression could take too long on values of this size (loops multiply)', 0)
      }
      if (bound.weight > maxWeight) throw new CelProblem('the result of the expression could be too large', 0)
      const values = new Map<string, unknown>()
      for (const name of freeNames(parsed)) {
        const value = lookup(name)
        if (value !== undefined) values.set(name, toCel(value))
      }
      return withoutStackTraces(() => fromCel(run(values as never)))
    },
  }
}

/** Runs `work`; errors that loops swallow by the thousand are made without their stacks, which cost ten times the rest. */
function withoutStackTraces<T>(work: () => T): T {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return work()
  } catch (error) {
    Error.stackTraceLimit = limit
    throw asProblem(error)
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** The syntax tree, checked for length, size and offered functions. Throws `CelProblem`. */
export function parseCel(source: string): ASTNode {
  if (source.length > workflowLimits.expression) {
    throw new CelProblem(`the expression is longer than ${workflowLimits.expression} characters`, 0)
  }
  let ast: ASTNode
  try {
    ast = environment.parse(source).ast
  } catch (error) {
    throw asProblem(error)
  }
  checkCalls(ast)
  return ast
}

/** The same text with replaced functions renamed; positions stay. */
export function rename(source: string, ast: ASTNode): string {
  let text = source
  walk(ast, (node) => {
    if (node.op !== 'rcall') return
    const other = renamedMethods[node.args[0]]
    if (other === undefined) return
    const from = node.args[1].end
    const until = node.args[2][0]?.start ?? node.end
    const at = text.slice(from, until).lastIndexOf(node.args[0])
    if (at === -1 || text.slice(from, until).includes('//')) {
      throw new CelProblem(`${node.args[0]} cannot be read here; put it on the line of its receiver`, from)
    }
    text = text.slice(0, from + at) + other + text.slice(from + at + other.length)
  })
  return text
}

function checkCalls(ast: ASTNode): void {
  walk(ast, (node) => {
    if (node.op === 'call' && !Object.hasOwn(globalFunctions, node.args[0])) {
      throw new CelProblem(`unknown function ${node.args[0]}()`, node.start)
    }
    if (node.op === 'rcall' && introducedName(node) === undefined && !Object.hasOwn(methods, node.args[0])) {
      throw new CelProblem(`unknown function .${node.args[0]}()`, node.start)
    }
    if (node.op === 'rcall' && node.args[0] === 'matches') {
      const pattern = node.args[2][0]
      if (pattern?.op === 'value' && typeof pattern.args === 'string') checkPattern(pattern.args, pattern.start)
    }
  })
}

function checkPattern(pattern: string, at: number): void {
  try {
    regex(pattern)
  } catch (error) {
    throw new CelProblem(`bad pattern: ${error instanceof Error ? error.message : String(error)}`, at)
  }
}

/** Errors of the library (and of our functions) as one kind, with their place. */
function asProblem(error: unknown): CelProblem {
  if (error instanceof CelProblem) return error
  const detail = error as { summary?: string; range?: { start: number }; message?: string }
  return new CelProblem(readable(detail.summary ?? detail.message ?? String(error)), detail.range?.start ?? 0)
}

/** Messages of the library in the words of the author. */
export function readable(message: string): string {
  return message
    .replaceAll('matchRe', 'matches')
    .replaceAll('jOin', 'join')
    .replace(/^Exceeded maxAstNodes \((\d+)\)/, 'the expression has more than $1 parts')
    .replace(/^Exceeded maxDepth \((\d+)\)/, 'the expression is nested deeper than $1 levels')
    .replace(/^no such overload: /, 'the types do not fit: ')
    .replace(/^found no matching overload for '(.*)'$/, 'the types do not fit: $1')
    .replace('Unexpected token: EOF', 'the expression ends too early')
    .replace('got EOF', 'found its end')
}
