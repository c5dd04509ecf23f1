import { hasRoom, type Strategy } from './candidate.ts'

/** The one with the smallest share of its slots in use; equals by id, so that the choice can be explained. */
export function leastConnections(): Strategy {
  return {
    pick(candidates) {
      let best: (typeof candidates)[number] | null = null
      for (const candidate of candidates) {
        if (!hasRoom(candidate)) continue
        if (best === null || isLess(candidate, best)) best = candidate
      }
      return best
    },
  }
}

function isLess(
  a: { used: number; slots: number; id: string },
  b: { used: number; slots: number; id: string },
): boolean {
  const difference = a.used * b.slots - b.used * a.slots
  return difference < 0 || (difference === 0 && a.id < b.id)
}
