/** Buckets grow by a tenth: a quantile is within 5 % of the truth. */
const growth = 1.1
const logGrowth = Math.log(growth)
/** The first bucket ends here, ms. */
const least = 0.05
/** The last one begins after about three days. */
const buckets = 235

/** Counts latencies in a fixed space, whatever their number. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(buckets)
  #total = 0

  add(ms: number): void {
    const bucket = ms <= least ? 0 : Math.min(buckets - 1, Math.ceil(Math.log(ms / least) / logGrowth))
    this.#counts[bucket] = this.#counts[bucket]! + 1
    this.#total += 1
  }

  get total(): number {
    return this.#total
  }

  /** The value that a share `q` of all is not above, ms; null where nothing was counted. */
  quantile(q: number): number | null {
    if (this.#total === 0) return null
    const rank = Math.max(1, Math.ceil(q * this.#total))
    let seen = 0
    for (let bucket = 0; bucket < buckets; bucket++) {
      seen += this.#counts[bucket]!
      if (seen >= rank) return bucket === 0 ? least : least * growth ** (bucket - 0.5)
    }
    return null
  }
}
