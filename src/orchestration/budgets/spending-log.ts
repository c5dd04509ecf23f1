/** How much of a past observation the next leaves. */
const weight = 0.2

/** Learns what reservations of one purpose really spend. It orders queues and is shown; it admits nothing. */
export class SpendingLog {
  readonly #means = new Map<string, number>()

  learn(purpose: string, unit: string, amount: number): void {
    if (purpose === '') return
    if (this.#means.size > 10_000) this.#means.clear()
    const key = `${unit} ${purpose}`
    const before = this.#means.get(key)
    this.#means.set(key, before === undefined ? amount : before + weight * (amount - before))
  }

  /** A moving mean in whole units; `fallback` while nothing is known. */
  expect(purpose: string, unit: string, fallback: number): number {
    const mean = this.#means.get(`${unit} ${purpose}`)
    return mean === undefined ? fallback : Math.round(mean)
  }
}
