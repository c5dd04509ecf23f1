import { hasRoom, type Strategy } from './candidate.ts'

/** Remembered ids are forgotten beyond this many more than there are candidates. */
const spare = 1_000

/**
 * To each its share by weight, spread evenly rather than in bursts (the smooth weighted round-robin of nginx): all gain
 * their weight at each pick, the richest is picked and pays what all gained. Who is full neither gains nor pays.
 */
export function weighted(): Strategy {
  const credits = new Map<string, number>()
  return {
    turn: {
      read: () => Object.fromEntries([...credits].filter(([, credit]) => credit !== 0)),
      resume: (from) => {
        credits.clear()
        for (const [id, credit] of Object.entries(from ?? {})) if (typeof credit === 'number') credits.set(id, credit)
      },
    },
    pick(candidates) {
      let best: (typeof candidates)[number] | null = null
      let most = Number.NEGATIVE_INFINITY
      let total = 0
      for (const candidate of candidates) {
        if (!hasRoom(candidate)) continue
        total += candidate.weight
        const credit = (credits.get(candidate.id) ?? 0) + candidate.weight
        credits.set(candidate.id, credit)
        if (credit < most || (credit === most && best !== null && best.id < candidate.id)) continue
        best = candidate
        most = credit
      }
      if (best !== null) credits.set(best.id, most - total)
      if (credits.size > candidates.length + spare) forgetOthers(credits, candidates)
      return best
    },
  }
}

function forgetOthers(credits: Map<string, number>, candidates: readonly { readonly id: string }[]): void {
  const present = new Set(candidates.map((candidate) => candidate.id))
  for (const id of credits.keys()) if (!present.has(id)) credits.delete(id)
}
