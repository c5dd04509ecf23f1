/** What the order needs to know of a call that waits. */
export interface Waiting {
  /** Whose call it is. */
  readonly asker: string
  /** Higher first. */
  readonly priority: number
  /** Order of arrival. */
  readonly turn: number
}

const mostRemembered = 1_000

/**
 * Whose call is next: by priority, then in parts by weight among those who ask, then by arrival. Start-time fair queueing
 * (Goyal, Vin, Cheng 1996): who comes back after a pause begins where the others are.
 */
export class FairOrder {
  readonly #weightOf: (asker: string) => number
  readonly #served = new Map<string, number>()
  #now = 0

  constructor(weightOf: (asker: string) => number = () => 1) {
    this.#weightOf = weightOf
  }

  of<W extends Waiting>(waiting: readonly W[]): W[] {
    const ahead = new Map<string, number>()
    const tags = new Map<W, number>()
    for (const one of waiting.toSorted((a, b) => a.turn - b.turn)) {
      const lane = `${one.priority}/${one.asker}`
      const before = ahead.get(lane) ?? 0
      ahead.set(lane, before + 1)
      tags.set(one, this.#standOf(one.asker) + before / this.#weightOf(one.asker))
    }
    return waiting.toSorted((a, b) => b.priority - a.priority || tags.get(a)! - tags.get(b)! || a.turn - b.turn)
  }

  served(asker: string): void {
    const stand = this.#standOf(asker)
    this.#now = stand
    this.#served.set(asker, stand + 1 / this.#weightOf(asker))
    if (this.#served.size <= mostRemembered) return
    for (const [key, at] of this.#served) if (at <= this.#now) this.#served.delete(key)
  }

  #standOf(asker: string): number {
    return Math.max(this.#now, this.#served.get(asker) ?? 0)
  }
}
