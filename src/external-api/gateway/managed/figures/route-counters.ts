import { LatencyHistogram } from './latency-histogram.ts'

/** What is counted of one route in this process. */
export class RouteCounters {
  readonly since: Date
  readonly latency = new LatencyHistogram()
  /** By the first digit of the status; the first is not used. */
  readonly answers = new Float64Array(6)
  requests = 0
  active = 0
  failed = 0
  aborted = 0
  rateLimited = 0
  retries = 0
  retriesRefused = 0
  upgrades = 0
  bytesIn = 0
  bytesOut = 0

  constructor(since: Date) {
    this.since = since
  }

  answer(status: number): void {
    const digit = Math.min(5, Math.max(1, Math.floor(status / 100)))
    this.answers[digit] = this.answers[digit]! + 1
  }
}
