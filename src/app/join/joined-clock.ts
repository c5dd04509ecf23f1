import { type Clock, systemClock } from '../../foundation/kernel/clock.ts'

export interface JoinedClock extends Clock {
  /** Learns from an answer that told the server's time: sent and received by our monotonic clock. */
  learn(serverTime: Date, sent: number, received: number): void
}

/** A measurement is forgotten after this long, however good it was: clocks drift. */
const trustMs = 60_000

/** Database time as far as answers of the server tell it, carried on by our monotonic clock. */
export function createJoinedClock(local: Clock = systemClock): JoinedClock {
  let offset = local.now().getTime() - local.monotonic()
  let doubt = Number.POSITIVE_INFINITY
  let at = Number.NEGATIVE_INFINITY
  return {
    now: () => new Date(local.monotonic() + offset),
    monotonic: () => local.monotonic(),
    learn(serverTime, sent, received) {
      const roundTrip = received - sent
      if (roundTrip > doubt && received - at < trustMs) return
      offset = serverTime.getTime() - (sent + received) / 2
      doubt = roundTrip
      at = received
    },
  }
}
