/** How often the last value of a sequence stands at its end, without another in between. */
export function tailRepeats(values: readonly string[]): number {
  const last = values.at(-1)
  if (last === undefined) return 0
  let count = 1
  while (count < values.length && values[values.length - 1 - count] === last) count += 1
  return count
}

/** How often two different values stand at the end in turn, as pairs: A B A B is two. */
export function tailCycles(values: readonly string[]): number {
  const [a, b] = [values.at(-2), values.at(-1)]
  if (a === undefined || b === undefined || a === b) return 0
  let length = 2
  while (length < values.length && values[values.length - 1 - length] === (length % 2 === 0 ? b : a)) length += 1
  return Math.floor(length / 2)
}

export interface Turn {
  /** How many different values take turns: 1 for the same again and again. */
  readonly period: number
  /** How many values at the end belong to it. */
  readonly length: number
}

/**
 * Follows a stream and knows how long its end has been going round in a circle of at most `most` values. Takes a value in
 * constant time: for each period, the run of values equal to the one that many before is counted.
 */
export class TurnWatch {
  readonly #most: number
  readonly #recent: string[] = []
  readonly #runs: number[]
  #taken = 0

  constructor(most: number) {
    this.#most = most
    this.#runs = Array.from({ length: most }, () => 0)
  }

  take(value: string): void {
    for (let period = 1; period <= this.#most; period++) {
      const before = this.#taken >= period ? this.#recent[(this.#taken - period) % this.#most] : undefined
      this.#runs[period - 1] = before === value ? this.#runs[period - 1]! + 1 : 0
    }
    this.#recent[this.#taken % this.#most] = value
    this.#taken += 1
  }

  /** The shortest circle that the end is in, with the values of its first round counted in; null: none. */
  get turn(): Turn | null {
    const period = this.#runs.findIndex((run, index) => run > index) + 1
    return period === 0 ? null : { period, length: this.#runs[period - 1]! + period }
  }
}
