/** What a path is matched against, and what it leads to. */
export interface PathEntry<T> {
  /** `/agents/:id/*`, as the contract of routes has it. */
  readonly pattern: string
  readonly value: T
}

export interface PathMatch<T> {
  readonly value: T
  /** By name; what `*` took is under `*`. As they came, percent-encoded. */
  readonly params: Readonly<Record<string, string>>
}

interface Node<T> {
  readonly literals: Map<string, Node<T>>
  param: Node<T> | null
  /** Entries that end here. */
  readonly ends: Leaf<T>[]
  /** Entries that take all that is left. */
  readonly rests: Leaf<T>[]
}

interface Leaf<T> {
  readonly value: T
  readonly names: readonly string[]
}

/**
 * A tree of path segments. Of several patterns that fit, the one that is literal for longest comes first, then one with a
 * parameter, then one with `*`; `accepts` may pass over an entry, for example because its method is another.
 */
export class RouteTrie<T> {
  readonly #root: Node<T> = createNode()

  constructor(entries: readonly PathEntry<T>[]) {
    for (const { pattern, value } of entries) this.#insert(pattern, value)
  }

  #insert(pattern: string, value: T): void {
    let node = this.#root
    const names: string[] = []
    for (const segment of segmentsOf(pattern)) {
      if (segment === '*') {
        node.rests.push({ value, names: [...names, '*'] })
        return
      }
      if (segment.startsWith(':')) {
        names.push(segment.slice(1))
        node.param ??= createNode()
        node = node.param
      } else {
        let next = node.literals.get(segment)
        if (next === undefined) {
          next = createNode()
          node.literals.set(segment, next)
        }
        node = next
      }
    }
    node.ends.push({ value, names })
  }

  /** The first entry for `path` that `accepts` takes, in the order of the patterns; null for none. */
  find(path: string, accepts: (value: T) => boolean): PathMatch<T> | null {
    return search(this.#root, segmentsOf(path), 0, [], accepts)
  }
}

function search<T>(
  node: Node<T>,
  segments: readonly string[],
  at: number,
  taken: string[],
  accepts: (value: T) => boolean,
): PathMatch<T> | null {
  if (at === segments.length) {
    for (const leaf of node.ends) if (accepts(leaf.value)) return matchOf(leaf, taken)
  } else {
    const segment = segments[at]!
    const literal = node.literals.get(segment)
    const exact = literal === undefined ? null : search(literal, segments, at + 1, taken, accepts)
    if (exact !== null) return exact
    if (node.param !== null && segment !== '') {
      taken.push(segment)
      const found = search(node.param, segments, at + 1, taken, accepts)
      if (found !== null) return found
      taken.pop()
    }
  }
  for (const leaf of node.rests) {
    if (accepts(leaf.value)) return matchOf(leaf, [...taken, segments.slice(at).join('/')])
  }
  return null
}

function matchOf<T>({ value, names }: Leaf<T>, taken: readonly string[]): PathMatch<T> {
  const params: Record<string, string> = Object.create(null)
  for (let n = 0; n < names.length; n++) params[names[n]!] = taken[n]!
  return { value, params }
}

function createNode<T>(): Node<T> {
  return { literals: new Map(), param: null, ends: [], rests: [] }
}

/** `/a/b/` has the segments `a`, `b` and an empty one: a slash at the end makes another path. `/` has none. */
function segmentsOf(path: string): string[] {
  return path === '/' ? [] : path.slice(1).split('/')
}
