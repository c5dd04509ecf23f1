import { type Candidate, hasRoom, type Strategy } from './candidate.ts'
import { compareUse } from './compare.ts'
import { dimensions, dimensionWeights } from './dimensions-contract.ts'

/**
 * The one with the smallest weighted share of its resources in use: cpu 0.4, memory 0.3, disk 0.2, network 0.1. A resource
 * of which nothing is known counts as the share of slots in use, so that one that reports nothing is not taken to be idle.
 */
export function resourceBased(): Strategy {
  return {
    pick(candidates) {
      let best: (typeof candidates)[number] | null = null
      let least = Number.POSITIVE_INFINITY
      for (const candidate of candidates) {
        if (!hasRoom(candidate)) continue
        const score = loadOf(candidate)
        if (score > least || (score === least && best !== null && compareUse(best, candidate) < 0)) continue
        best = candidate
        least = score
      }
      return best
    },
  }
}

/** 0: idle, 1: all in use. */
export function loadOf(candidate: Candidate): number {
  const slots = candidate.used / candidate.slots
  const { load = {} } = candidate
  let score = 0
  for (const dimension of dimensions) {
    score += dimensionWeights[dimension] * Math.min(1, Math.max(0, load[dimension] ?? slots))
  }
  return score
}
