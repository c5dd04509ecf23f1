import type { Latencies } from './candidate.ts'

/** Milliseconds after which an old observation counts for 1/e: some minutes, because the work of agents takes minutes. */
export const defaultDecayMs = 300_000

interface Entry {
  value: number
  at: number
}

/**
 * Latency by candidate as the "peak" moving average of Finagle and linkerd: a slower answer counts at once and in full, a
 * faster one only as time passes. So who turns slow is avoided from the next pick on; of whom nothing is heard any more is
 * taken for average again in time, so that one which has recovered gets its chance.
 */
export class PeakEwma implements Latencies {
  readonly #entries = new Map<string, Entry>()
  readonly #decayMs: number
  readonly #monotonic: () => number
  readonly #most: number
  /** Of all candidates: what an unknown one is taken to need. */
  #mean: number | null = null

  constructor(monotonic: () => number, decayMs = defaultDecayMs, most = 100_000) {
    this.#monotonic = monotonic
    this.#decayMs = decayMs
    this.#most = most
  }

  observe(id: string, milliseconds: number): void {
    const now = this.#monotonic()
    const entry = this.#entries.get(id)
    this.#mean = this.#mean === null ? milliseconds : this.#mean + (milliseconds - this.#mean) / 100
    if (entry === undefined) {
      if (this.#entries.size >= this.#most) this.#entries.clear()
      this.#entries.set(id, { value: milliseconds, at: now })
      return
    }
    const kept = this.#keptOf(entry, now)
    entry.value = milliseconds > entry.value ? milliseconds : entry.value * kept + milliseconds * (1 - kept)
    entry.at = now
  }

  /** Milliseconds; for one that was never seen the mean of the others, 1 where nothing is known. */
  of(id: string): number {
    const entry = this.#entries.get(id)
    const mean = this.#mean ?? 1
    return entry === undefined ? mean : mean + (entry.value - mean) * this.#keptOf(entry, this.#monotonic())
  }

  #keptOf(entry: Entry, now: number): number {
    return Math.exp(-Math.max(0, now - entry.at) / this.#decayMs)
  }
}
