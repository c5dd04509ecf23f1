import { type Candidate, hasRoom, type PickRequest, type Strategy } from './candidate.ts'
import { compareUse } from './compare.ts'

/**
 * Of those that can do all that is required, at the level required: first who has most of what is preferred, then the most
 * specific fit (the fewest other skills, then the smallest excess of level), so that those who can do everything stay free
 * for what only they can do; then the least busy.
 */
export function capabilityBased(): Strategy {
  return {
    pick(candidates, request = {}) {
      let best: (typeof candidates)[number] | null = null
      let bestFit: Fit | null = null
      for (const candidate of candidates) {
        if (!hasRoom(candidate)) continue
        const fit = fitOf(candidate, request)
        if (fit === null) continue
        if (best !== null && bestFit !== null && !isBetter(fit, candidate, bestFit, best)) continue
        best = candidate
        bestFit = fit
      }
      return best
    },
  }
}

interface Fit {
  /** Share of what is preferred that it offers, each up to the level asked for. */
  readonly preferred: number
  /** Skills that were not asked for. */
  readonly surplus: number
  /** Levels above those required. */
  readonly excess: number
}

const nothing: ReadonlyMap<string, number> = new Map()

/** Null where something required is missing. */
export function fitOf(candidate: Candidate, request: PickRequest): Fit | null {
  const { required = nothing, preferred = nothing } = request
  const { levels = nothing } = candidate
  let excess = 0
  for (const [name, level] of required) {
    const own = levels.get(name) ?? 0
    if (own < level) return null
    excess += own - level
  }
  let offered = 0
  let asked = required.size
  for (const [name, level] of preferred) {
    const own = levels.get(name) ?? 0
    offered += Math.min(own, level) / level
    if (own > 0 && !required.has(name)) asked += 1
  }
  return { preferred: offered, surplus: levels.size - asked, excess }
}

function isBetter(fit: Fit, candidate: Candidate, than: Fit, other: Candidate): boolean {
  if (fit.preferred !== than.preferred) return fit.preferred > than.preferred
  if (fit.surplus !== than.surplus) return fit.surplus < than.surplus
  if (fit.excess !== than.excess) return fit.excess < than.excess
  return compareUse(candidate, other) < 0
}
