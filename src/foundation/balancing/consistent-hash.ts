import { type Candidate, hasRoom, type Strategy } from './candidate.ts'
import { hashText, mix } from './hash-text-contract.ts'
import { leastConnections } from './least-connections.ts'

export interface ConsistentHashOptions {
  /** No candidate gets more than this many times its fair share of what is in use. Default 1.25. */
  readonly boundedLoad?: number
}

const mostRemembered = 100_000

/**
 * The same key goes to the same candidate as long as that is there (rendezvous hashing by weight: when one leaves only its
 * own keys move, when one joins it takes only its share), unless that has more than its fair share of the load already
 * (Mirrokni, Thorup, Zadimoghaddam: "Consistent Hashing with Bounded Loads"): then the next in the key's own order.
 * Work without a key goes to the least busy.
 */
export function consistentHash(options: ConsistentHashOptions = {}): Strategy {
  const { boundedLoad = 1.25 } = options
  const hashes = new Map<string, number>()
  const unkeyed = leastConnections()
  const hashOf = (id: string) => {
    let hash = hashes.get(id)
    if (hash === undefined) {
      if (hashes.size >= mostRemembered) hashes.clear()
      hash = hashText(id)
      hashes.set(id, hash)
    }
    return hash
  }
  return {
    pick(candidates, request = {}) {
      const { key } = request
      if (key === undefined) return unkeyed.pick(candidates)
      const bound = boundOf(candidates, boundedLoad)
      const keyHash = hashText(key)
      let best: (typeof candidates)[number] | null = null
      let bestScore = Number.POSITIVE_INFINITY
      let beyond: (typeof candidates)[number] | null = null
      let beyondScore = Number.POSITIVE_INFINITY
      for (const candidate of candidates) {
        if (!hasRoom(candidate)) continue
        // An exponential variable with the weight as its rate: the smallest is a fair draw by weight.
        const drawn = (mix(keyHash ^ hashOf(candidate.id)) + 0.5) / 4_294_967_296
        const score = -Math.log(drawn) / candidate.weight
        if (candidate.used < bound(candidate)) {
          if (score < bestScore || (score === bestScore && best !== null && candidate.id < best.id)) {
            best = candidate
            bestScore = score
          }
        } else if (score < beyondScore || (score === beyondScore && beyond !== null && candidate.id < beyond.id)) {
          beyond = candidate
          beyondScore = score
        }
      }
      return best ?? beyond
    },
  }
}

/** How much a candidate may have in use and still take more: its share, by weight, of all that will be in use. */
function boundOf(candidates: readonly Candidate[], boundedLoad: number): (candidate: Candidate) => number {
  let used = 1
  let weight = 0
  for (const candidate of candidates) {
    used += candidate.used
    weight += candidate.weight
  }
  return (candidate) => Math.ceil((boundedLoad * used * candidate.weight) / weight)
}
