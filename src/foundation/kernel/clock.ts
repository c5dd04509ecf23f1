/** The source of time. Logic takes one as a parameter; `systemClock` is the default at the edges. */
export interface Clock {
  /** The present instant, in database time where a database is connected. */
  now(): Date
  /** Milliseconds that only ever grow, unrelated to the calendar. */
  monotonic(): number
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
}

/** A clock that moves when told to. For tests and simulations. */
export class ManualClock implements Clock {
  #now: number
  #monotonic = 0

  constructor(start: Date = new Date('2026-01-01T00:00:00Z')) {
    this.#now = start.getTime()
  }

  now(): Date {
    return new Date(this.#now)
  }

  monotonic(): number {
    return this.#monotonic
  }

  /** Moves both the calendar and the monotonic clock forward by `ms`. */
  advance(ms: number): void {
    this.#now += ms
    this.#monotonic += ms
  }
}
