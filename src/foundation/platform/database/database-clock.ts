import type { Clock } from '../../kernel/clock.ts'

/** One comparison with the server's clock, in milliseconds. */
export interface ClockSample {
  readonly offset: number
  readonly roundTrip: number
}

export interface DatabaseClock extends Clock {
  /** Milliseconds added to the local clock. */
  readonly offset: number
  /** Measures now; keeps the former offset if that fails or the round trips were too slow to trust. */
  measure(): Promise<void>
  close(): void
}

export interface DatabaseClockOptions {
  readonly local: Clock
  /** Takes one sample at the midpoint of a round trip; undefined while not connected. */
  readonly sample: () => Promise<ClockSample | undefined>
  /** Default 10 000. */
  readonly everyMs?: number
}

/** A slower round trip leaves more than 0.25 s of doubt. */
const slowestTrusted = 500

/** Local time corrected by an offset, measured on request and then every `everyMs`. */
export function createDatabaseClock({ local, sample, everyMs = 10_000 }: DatabaseClockOptions): DatabaseClock {
  let offset = 0

  /** Of three samples the one with the shortest round trip has the least doubt. */
  async function measure(): Promise<void> {
    let best: ClockSample | undefined
    for (let i = 0; i < 3; i++) {
      const next = await sample().catch(() => undefined)
      if (next && (!best || next.roundTrip < best.roundTrip)) best = next
    }
    if (best && best.roundTrip <= slowestTrusted) offset = best.offset
  }

  const timer = setInterval(measure, everyMs)
  timer.unref()
  return {
    now: () => new Date(local.now().getTime() + offset),
    monotonic: () => local.monotonic(),
    get offset() {
      return offset
    },
    measure,
    close: () => clearInterval(timer),
  }
}
