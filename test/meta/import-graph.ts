import type { Import, SourceFile } from './source-tree.ts'

/** Groups of files that import each other in a circle (Tarjan's strongly connected components of more than one file). */
export function findCycles(files: readonly SourceFile[], kinds: readonly Import['kind'][]): string[][] {
  const edges = new Map(
    files.map((file) => [
      file.path,
      file.imports.filter((item) => item.target !== null && kinds.includes(item.kind)).map((item) => item.target!),
    ]),
  )
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const onStack = new Set<string>()
  const cycles: string[][] = []

  function visit(path: string): void {
    index.set(path, index.size)
    low.set(path, index.get(path)!)
    stack.push(path)
    onStack.add(path)
    for (const next of edges.get(path) ?? []) {
      if (!edges.has(next)) continue
      if (!index.has(next)) {
        visit(next)
        low.set(path, Math.min(low.get(path)!, low.get(next)!))
      } else if (onStack.has(next)) low.set(path, Math.min(low.get(path)!, index.get(next)!))
    }
    if (low.get(path) !== index.get(path)) return
    const members = stack.splice(stack.indexOf(path))
    for (const member of members) onStack.delete(member)
    if (members.length > 1) cycles.push(members.sort())
  }

  for (const path of edges.keys()) if (!index.has(path)) visit(path)
  return cycles
}

/** All files that run when `path` is loaded, with the way that leads to each. */
export function loadedBy(files: ReadonlyMap<string, SourceFile>, path: string): Map<string, readonly string[]> {
  const ways = new Map<string, readonly string[]>([[path, [path]]])
  const queue = [path]
  for (const current of queue) {
    for (const item of files.get(current)?.imports ?? []) {
      if (item.kind !== 'value' || item.target === null || ways.has(item.target)) continue
      ways.set(item.target, [...ways.get(current)!, item.target])
      queue.push(item.target)
    }
  }
  return ways
}
