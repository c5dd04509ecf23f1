import type { ASTNode } from '@marcbachmann/cel-js'
import { comprehensions } from './cel-functions.ts'

/** Visits each node, parents first. */
export function walk(node: ASTNode, visit: (node: ASTNode) => void): void {
  visit(node)
  for (const child of childrenOf(node)) walk(child, visit)
}

export function childrenOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return []
    case '.':
    case '.?':
      return [node.args[0]]
    case 'call':
      return node.args[1]
    case 'rcall':
      return [node.args[1], ...node.args[2]]
    case 'map':
      return node.args.flat()
    case '!_':
    case '-_':
      return [node.args]
    default:
      return node.args
  }
}

/** The name that a loop or `cel.bind` introduces. */
export function introducedName(node: ASTNode): string | undefined {
  if (node.op !== 'rcall') return undefined
  const [method, , args] = node.args
  return (isBind(node) || comprehensions.has(method)) && args[0]?.op === 'id' ? args[0].args : undefined
}

export function isBind(node: ASTNode): boolean {
  return node.op === 'rcall' && node.args[0] === 'bind' && node.args[1].op === 'id' && node.args[1].args === 'cel'
}

/** Visits the uses of names that come from the context, not those that loops and `cel.bind` introduce; `parents` nearest first. */
export function walkFreeNames(
  ast: ASTNode,
  visit: (node: ASTNode & { op: 'id' }, parents: readonly ASTNode[]) => void,
): void {
  const descend = (node: ASTNode, bound: ReadonlySet<string>, parents: readonly ASTNode[]): void => {
    if (node.op === 'id') {
      if (!bound.has(node.args)) visit(node, parents)
      return
    }
    const above = [node, ...parents]
    const name = introducedName(node)
    if (name === undefined || node.op !== 'rcall') {
      for (const child of childrenOf(node)) descend(child, bound, above)
      return
    }
    const [, receiver, [, ...args]] = node.args
    const bodies = isBind(node) ? args.slice(1) : args
    const outside = isBind(node) ? args.slice(0, 1) : [receiver]
    for (const child of outside) descend(child, bound, above)
    for (const child of bodies) descend(child, new Set([...bound, name]), above)
  }
  descend(ast, new Set(), [])
}

/** The names that an expression takes from its context. */
export function freeNames(ast: ASTNode): ReadonlySet<string> {
  const names = new Set<string>()
  walkFreeNames(ast, (node) => names.add(node.args))
  return names
}

/** The literal key of `name.key` or `name["key"]`, if that is what stands there. */
export function keyAfter(node: ASTNode, parent: ASTNode | undefined): string | null {
  if (parent === undefined) return null
  if ((parent.op === '.' || parent.op === '.?') && parent.args[0] === node) return parent.args[1]
  if ((parent.op === '[]' || parent.op === '[?]') && parent.args[0] === node) {
    const key = parent.args[1]
    return key.op === 'value' && typeof key.args === 'string' ? key.args : null
  }
  return null
}
