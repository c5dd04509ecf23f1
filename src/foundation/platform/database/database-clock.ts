import type { Clock } from '../../kernel/clock.ts'

/** One comparison with the server's clock, in milliseconds. */
export interface ClockSample {
  /** By how much the server's calendar is ahead of our monotonic clock. */
  readonly offset: number
  readonly roundTrip: number
}

export interface DatabaseClock extends Clock {
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
/** When our two clocks disagree by more, one was set or the machine slept. */
const mostApart = 1_000

/**
 * The server's time, carried on by our monotonic clock and measured again every `everyMs`. Our own calendar has no say in
 * it: when somebody sets it, or it is wrong, nothing happens to leases and timers.
 */
export function createDatabaseClock({ local, sample, everyMs = 10_000 }: DatabaseClockOptions): DatabaseClock {
  const apart = () => local.now().getTime() - local.monotonic()
  let offset = apart()
  let known = offset
  let measuring: Promise<void> | null = null

  /** Of three samples the one with the shortest round trip has the least doubt. */
  async function takeSamples(): Promise<void> {
    let best: ClockSample | undefined
    for (let i = 0; i < 3; i++) {
      const next = await sample().catch(() => undefined)
      if (next && (!best || next.roundTrip < best.roundTrip)) best = next
    }
    if (best && best.roundTrip <= slowestTrusted) offset = best.offset
  }

  function measure(): Promise<void> {
    known = apart()
    measuring ??= takeSamples().finally(() => {
      measuring = null
    })
    return measuring
  }

  const timer = setInterval(measure, everyMs)
  timer.unref()
  return {
    now() {
      // While a machine sleeps its monotonic clock stands still, so that after it ours is late: it is not left at that.
      if (Math.abs(apart() - known) > mostApart) void measure()
      return new Date(local.monotonic() + offset)
    },
    monotonic: () => local.monotonic(),
    measure,
    close: () => clearInterval(timer),
  }
}
