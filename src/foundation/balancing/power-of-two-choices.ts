import { type Candidate, hasRoom, type Strategy, type StrategyOptions } from './candidate.ts'
import { defaultDecayMs, PeakEwma } from './peak-ewma.ts'

export interface PowerOfTwoOptions extends StrategyOptions {
  readonly decayMs?: number
}

/**
 * Of two drawn at random, the one on which the work is likely to end sooner: expected latency (peak EWMA of what was
 * observed) times the work it already has and this one, per weight. Two draws are nearly as good as looking at all, and
 * many deciders that do not know of each other do not all run to the same one.
 */
export function powerOfTwoChoices(options: PowerOfTwoOptions = {}): Strategy {
  const { random = Math.random, monotonic = () => performance.now(), decayMs = defaultDecayMs } = options
  const latency = options.latency ?? new PeakEwma(monotonic, decayMs)
  const costOf = (candidate: Candidate) =>
    ((candidate.used + 1) * latency.of(candidate.id)) / (candidate.weight * candidate.slots)
  return {
    pick(candidates) {
      const open = drawTwo(candidates, random)
      if (open === null) return null
      const [one, other] = open
      const difference = costOf(one) - costOf(other)
      return difference < 0 || (difference === 0 && one.id <= other.id) ? one : other
    },
    observe: (id, milliseconds) => latency.observe(id, milliseconds),
  }
}

/** Blind draws before the list is searched for those with room. */
const draws = 8

/** Two different ones that have room; twice the same where there is only one, null where there is none. */
function drawTwo<C extends Candidate>(candidates: readonly C[], random: () => number): readonly [C, C] | null {
  let first: C | null = null
  for (let n = 0; n < draws && candidates.length > 2; n++) {
    const drawn = candidates[Math.floor(random() * candidates.length)]!
    if (!hasRoom(drawn) || drawn === first) continue
    if (first !== null) return [first, drawn]
    first = drawn
  }
  const open = candidates.filter(hasRoom)
  if (open.length === 0) return null
  const a = Math.floor(random() * open.length)
  if (open.length === 1) return [open[0]!, open[0]!]
  const b = Math.floor(random() * (open.length - 1))
  return [open[a]!, open[b < a ? b : b + 1]!]
}
