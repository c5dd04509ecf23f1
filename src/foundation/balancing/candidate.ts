/** What a strategy may look at. One for agents that take tasks, one for upstreams that take requests. */
export interface Candidate {
  readonly id: string
  /** How many it may work on at once. */
  readonly slots: number
  /** How many it works on now. */
  readonly used: number
  /** Its share among equals. Above 0. */
  readonly weight: number
}

/** Chooses one of the candidates that have room; null when none has. Pure but for what it remembers of its own picks. */
export interface Strategy {
  pick<C extends Candidate>(candidates: readonly C[]): C | null
}

export function hasRoom(candidate: Candidate): boolean {
  return candidate.used < candidate.slots
}
