import { type Candidate, hasRoom, type PickSession, type Strategy } from './candidate.ts'
import { compareUse } from './compare.ts'

/** The one with the smallest share of its slots in use; equals by id, so that the choice can be explained. */
export function leastConnections(): Strategy {
  return {
    pick(candidates) {
      let best: (typeof candidates)[number] | null = null
      for (const candidate of candidates) {
        if (!hasRoom(candidate)) continue
        if (best === null || compareUse(candidate, best) < 0) best = candidate
      }
      return best
    },
    session: (candidates) => new LeastUsedHeap(candidates),
  }
}

/**
 * A binary heap by share in use. Shares only grow, so the order below the root may be out of date but is never too high: a
 * root whose share has grown sinks before it counts.
 */
class LeastUsedHeap<C extends Candidate> implements PickSession<C> {
  readonly #heap: C[]
  /** The use that each place of the heap was ordered by. */
  readonly #uses: number[]

  constructor(candidates: readonly C[]) {
    this.#heap = candidates.filter(hasRoom).sort(compareUse)
    this.#uses = this.#heap.map((candidate) => candidate.used)
  }

  pick(): C | null {
    const heap = this.#heap
    const uses = this.#uses
    while (heap.length > 0) {
      const root = heap[0]!
      if (!hasRoom(root)) {
        const last = heap.pop()!
        const use = uses.pop()!
        if (heap.length === 0) return null
        heap[0] = last
        uses[0] = use
        this.#sink()
      } else if (root.used !== uses[0]) {
        uses[0] = root.used
        this.#sink()
      } else {
        return root
      }
    }
    return null
  }

  #sink(): void {
    const heap = this.#heap
    for (let at = 0; ; ) {
      let least = at
      for (let child = 2 * at + 1; child <= 2 * at + 2 && child < heap.length; child++) {
        if (this.#isLess(child, least)) least = child
      }
      if (least === at) return
      this.#swap(at, least)
      at = least
    }
  }

  #isLess(a: number, b: number): boolean {
    const one = this.#heap[a]!
    const other = this.#heap[b]!
    const difference = this.#uses[a]! * other.slots - this.#uses[b]! * one.slots
    return difference < 0 || (difference === 0 && one.id < other.id)
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap
    const uses = this.#uses
    ;[heap[a], heap[b]] = [heap[b]!, heap[a]!]
    ;[uses[a], uses[b]] = [uses[b]!, uses[a]!]
  }
}
