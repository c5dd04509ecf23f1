/** Counts two kinds of things over the last `seconds`, to within a second. */
export class SlidingCounts {
  readonly #ring: Int32Array
  readonly #seconds: number
  #second = 0
  #first = 0
  #other = 0

  constructor(seconds = 10) {
    this.#seconds = seconds
    this.#ring = new Int32Array(seconds * 2)
  }

  add(kind: 0 | 1, nowMs: number): void {
    this.#turn(nowMs)
    const place = (this.#second % this.#seconds) * 2 + kind
    this.#ring[place] = this.#ring[place]! + 1
    if (kind === 0) this.#first += 1
    else this.#other += 1
  }

  /** How often each kind came. */
  totals(nowMs: number): readonly [number, number] {
    this.#turn(nowMs)
    return [this.#first, this.#other]
  }

  clear(): void {
    this.#ring.fill(0)
    this.#first = 0
    this.#other = 0
  }

  #turn(nowMs: number): void {
    const second = Math.floor(nowMs / 1_000)
    if (second <= this.#second) return
    if (second - this.#second >= this.#seconds) this.clear()
    else {
      for (let each = this.#second + 1; each <= second; each++) {
        const place = (each % this.#seconds) * 2
        this.#first -= this.#ring[place]!
        this.#other -= this.#ring[place + 1]!
        this.#ring[place] = 0
        this.#ring[place + 1] = 0
      }
    }
    this.#second = second
  }
}
