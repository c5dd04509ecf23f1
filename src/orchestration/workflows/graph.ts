/** What the graph needs to know of a step. */
export interface GraphNode {
  readonly needs: readonly string[]
}

/** Steps and what they wait for. All lists keep the order of the definition. */
export interface StepGraph {
  readonly ids: readonly string[]
  /** Ids, each after all that it needs. */
  readonly order: readonly string[]
  /** Ids that need nothing. */
  readonly roots: readonly string[]
  /** Ids by distance from the roots: what is on one level could run at once. */
  readonly levels: readonly (readonly string[])[]
  /** The steps that need `id` themselves. */
  dependents(id: string): readonly string[]
  /** The steps that need `id`, directly or through others. */
  descendants(id: string): ReadonlySet<string>
  /** Whether `id` needs `other`, directly or through others. */
  reaches(id: string, other: string): boolean
}

/** The graph of steps; needs that name no step are ignored. Throws where there is a cycle (see `findCycle`). */
export function buildGraph(steps: Readonly<Record<string, GraphNode>>): StepGraph {
  const ids = Object.keys(steps)
  const number = new Map(ids.map((id, index) => [id, index]))
  const needs = ids.map((id) => [...new Set(steps[id]?.needs)].flatMap((need) => number.get(need) ?? []))
  const dependents: number[][] = ids.map(() => [])
  for (const [index, list] of needs.entries()) for (const need of list) dependents[need]?.push(index)

  const level = new Array<number>(ids.length).fill(0)
  const missing = needs.map((list) => list.length)
  const order: number[] = missing.flatMap((count, index) => (count === 0 ? [index] : []))
  for (const index of order) {
    for (const next of dependents[index] as number[]) {
      level[next] = Math.max(level[next] as number, (level[index] as number) + 1)
      missing[next] = (missing[next] as number) - 1
      if (missing[next] === 0) order.push(next)
    }
  }
  if (order.length !== ids.length) throw new Error(`cycle: ${findCycle(steps)?.join(' -> ')}`)

  const ancestors = ancestorSets(order, needs)
  const named = (indexes: readonly number[]) => indexes.map((index) => ids[index] as string)
  const height = level.reduce((most, each) => Math.max(most, each + 1), 0)
  const levels = Array.from({ length: height }, (): string[] => [])
  for (const [index, id] of ids.entries()) levels[level[index] as number]?.push(id)
  const reaches = (id: string, other: string) => {
    const bit = number.get(other)
    const set = ancestors[number.get(id) ?? -1]
    return bit !== undefined && set !== undefined && (((set[bit >>> 5] as number) >>> (bit & 31)) & 1) === 1
  }
  return {
    ids,
    order: named(order),
    roots: ids.filter((_, index) => needs[index]?.length === 0),
    levels,
    dependents: (id) => named(dependents[number.get(id) ?? -1] ?? []),
    descendants: (id) => new Set(ids.filter((other) => reaches(other, id))),
    reaches,
  }
}

/** One bit for each step that is needed, directly or through others. */
function ancestorSets(order: readonly number[], needs: readonly (readonly number[])[]): readonly Uint32Array[] {
  const words = Math.ceil(order.length / 32)
  const sets = needs.map(() => new Uint32Array(words))
  for (const index of order) {
    const set = sets[index] as Uint32Array
    for (const need of needs[index] as readonly number[]) {
      const inherited = sets[need] as Uint32Array
      for (let i = 0; i < words; i++) set[i] = (set[i] as number) | (inherited[i] as number)
      set[need >>> 5] = (set[need >>> 5] as number) | (1 << (need & 31))
    }
  }
  return sets
}

/** A cycle as `[a, b, c, a]`, where a needs b needs c needs a; null where there is none. */
export function findCycle(steps: Readonly<Record<string, GraphNode>>): readonly string[] | null {
  const state = new Map<string, 'open' | 'done'>()
  for (const root of Object.keys(steps)) {
    if (state.has(root)) continue
    // An explicit stack: a chain of thousands of steps must not exhaust the call stack.
    const path: { id: string; next: number }[] = [{ id: root, next: 0 }]
    state.set(root, 'open')
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const need = steps[top.id]?.needs[top.next++]
      if (need === undefined) {
        state.set(top.id, 'done')
        path.pop()
      } else if (state.get(need) === 'open') {
        return [...path.slice(path.findIndex((entry) => entry.id === need)).map((entry) => entry.id), need]
      } else if (Object.hasOwn(steps, need) && !state.has(need)) {
        state.set(need, 'open')
        path.push({ id: need, next: 0 })
      }
    }
  }
  return null
}
