/**
 * Leases that are done and acknowledged, for as long as a call is on its way that began before: its answer may hand one
 * of them out again, because it may have been given while the report was under way.
 */
export class RecentFences {
  readonly #open = new Set<number>()
  readonly #fences = new Map<number, number>()
  #calls = 0

  /** A call begins; the result is given to `end`. */
  begin(): number {
    this.#calls += 1
    this.#open.add(this.#calls)
    return this.#calls
  }

  end(call: number): void {
    this.#open.delete(call)
    const [oldest = Number.POSITIVE_INFINITY] = this.#open
    for (const [fence, calls] of this.#fences) {
      if (calls >= oldest) return
      this.#fences.delete(fence)
    }
  }

  /** Acknowledged just now. */
  add(fence: number): void {
    this.#fences.set(fence, this.#calls)
  }

  has(fence: number): boolean {
    return this.#fences.has(fence)
  }

  get size(): number {
    return this.#fences.size
  }
}
