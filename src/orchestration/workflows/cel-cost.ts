import type { ASTNode } from '@marcbachmann/cel-js'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import { comprehensions, globalFunctions, methods, operatorBound } from './cel-functions.ts'
import { knownSize, largest, listSize, partSize, type Size, scalarSize } from './cel-size.ts'

/** The value of a variable of the context, or undefined where it has none. */
export type Lookup = (name: string) => JsonValue | undefined

export interface Estimate {
  /** An upper bound of the work, in units of about a tenth of a microsecond. */
  readonly cost: number
  /** An upper bound of the result, one for each value and each 16 characters. */
  readonly weight: number
}

type Scope = (name: string) => Size

/**
 * An upper bound of what evaluating `ast` costs, from the expression and the sizes of the values it names, without
 * evaluating it. Each node is visited once; a loop multiplies the bound of its body by the bound of its list.
 */
export function estimate(ast: ASTNode, lookup: Lookup): Estimate {
  // `all`, `exists`, && and || go on after an error of a part; making the error costs more than the part, and it quotes the source.
  const errorCost = 40 + ast.input.length / 6
  let total = 0
  let factor = 1

  function spend(cost: number): void {
    total += cost * factor
  }

  function visit(node: ASTNode, scope: Scope): Size {
    spend(1)
    switch (node.op) {
      case 'value':
        return typeof node.args === 'string' ? knownSize(node.args) : scalarSize
      case 'id':
        return scope(node.args)
      case '.':
      case '.?': {
        const left = visit(node.args[0], scope)
        return field(left, node.args[1]) ?? operatorBound('.', left, scalarSize).size
      }
      case '[]':
      case '[?]': {
        const left = visit(node.args[0], scope)
        const key = visit(node.args[1], scope).known
        return (typeof key === 'string' ? field(left, key) : undefined) ?? operatorBound('.', left, scalarSize).size
      }
      case 'list': {
        const parts = node.args.map((part) => visit(part, scope))
        return listSize(
          parts.length,
          () => largest(...parts),
          parts.reduce((sum, part) => sum + part.weight, 1),
        )
      }
      case 'map': {
        const parts = node.args.flatMap(([key, value]) => [visit(key, scope), visit(value, scope)])
        return listSize(
          node.args.length,
          () => largest(...parts),
          parts.reduce((sum, part) => sum + part.weight, 1),
        )
      }
      case '?:': {
        const [condition, yes, no] = node.args.map((part) => visit(part, scope))
        return condition && yes && no ? largest(yes, no) : scalarSize
      }
      case '!_':
      case '-_':
        visit(node.args, scope)
        return scalarSize
      case '&&':
      case '||':
        visit(node.args[0], scope)
        visit(node.args[1], scope)
        if (node.args.some(canFail)) spend(errorCost)
        return scalarSize
      case 'call':
        return call(
          globalFunctions[node.args[0]],
          node.args[1].map((part) => visit(part, scope)),
        )
      case 'rcall':
        return method(node.args[0], node.args[1], node.args[2], scope)
      default: {
        const [left, right] = node.args
        const bound = operatorBound(node.op, visit(left, scope), visit(right, scope))
        spend(bound.cost)
        return bound.size
      }
    }
  }

  function call(bound: ((...args: Size[]) => { cost: number; size: Size }) | undefined, args: readonly Size[]): Size {
    const result = bound?.(...args) ?? { cost: Number.POSITIVE_INFINITY, size: partSize(Number.POSITIVE_INFINITY) }
    spend(result.cost)
    return result.size
  }

  function method(name: string, receiver: ASTNode, args: readonly ASTNode[], scope: Scope): Size {
    const variable = args[0]
    if (receiver.op === 'id' && receiver.args === 'cel' && name === 'bind' && variable?.op === 'id') {
      const value = args[1] ? visit(args[1], scope) : scalarSize
      return args[2] ? visit(args[2], bindName(scope, variable.args, value)) : scalarSize
    }
    const list = visit(receiver, scope)
    if (!comprehensions.has(name) || variable?.op !== 'id') {
      return call(methods[name], [list, ...args.map((part) => visit(part, scope))])
    }
    const outer = factor
    factor *= Math.max(1, list.length)
    spend(3)
    const inner = bindName(scope, variable.args, list.element())
    if ((name === 'all' || name === 'exists') && args.slice(1).some(canFail)) spend(errorCost)
    const bodies = args.slice(1).map((part) => visit(part, inner))
    factor = outer
    if (name === 'filter') return { ...listSize(list.length, () => list.element(), list.weight) }
    const body = bodies.at(-1)
    return name === 'map' && body ? listSize(list.length, () => body) : scalarSize
  }

  const size = visit(ast, (name) => {
    const value = lookup(name)
    return value === undefined ? scalarSize : knownSize(value)
  })
  return { cost: total, weight: size.weight }
}

/** Whether evaluating can end in an error, as far as the syntax tells: names, literals and comparing for equality cannot. */
function canFail(node: ASTNode): boolean {
  if (node.op === 'value' || node.op === 'id') return false
  if (node.op === '==' || node.op === '!=' || node.op === 'list') return node.args.some(canFail)
  return true
}

function field(left: Size, name: string): Size | undefined {
  const value = left.known
  if (value === null || typeof value !== 'object' || Array.isArray(value) || !Object.hasOwn(value, name))
    return undefined
  return knownSize((value as Record<string, JsonValue>)[name] as JsonValue)
}

function bindName(scope: Scope, name: string, size: Size): Scope {
  return (other) => (other === name ? size : scope(other))
}
