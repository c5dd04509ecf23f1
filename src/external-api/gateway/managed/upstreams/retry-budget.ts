import { SlidingCounts } from './sliding-counts.ts'

/** Retries that a route with hardly any requests may make in 10 s. */
const least = 3

/** Bounds retries to a share of the requests of the last 10 s: when all of an upstream fails, retries only add to it. */
export class RetryBudget {
  readonly #share: number
  readonly #counts = new SlidingCounts()

  /** `share` 0: no retries at all. */
  constructor(share: number) {
    this.#share = share
  }

  onRequest(now: number): void {
    this.#counts.add(0, now)
  }

  /** Takes one retry from the budget; false where it is used up. */
  take(now: number): boolean {
    if (this.#share === 0) return false
    const [requests, retries] = this.#counts.totals(now)
    if (retries >= Math.max(least, this.#share * requests)) return false
    this.#counts.add(1, now)
    return true
  }
}
