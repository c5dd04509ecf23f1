import type { RouteFigures } from '../gateway-contract.ts'
import type { LiveRoute } from '../live-route.ts'

/** What was measured of a route, as the API tells it. */
export function figuresOf({ id, definition, counters, upstreams }: LiveRoute): RouteFigures {
  const { answers, latency } = counters
  const rounded = (q: number) => {
    const value = latency.quantile(q)
    return value === null ? null : Math.round(value * 100) / 100
  }
  return {
    id,
    name: definition.name,
    since: counters.since.toISOString(),
    requests: counters.requests,
    active: counters.active,
    answers: {
      '1xx': answers[1]!,
      '2xx': answers[2]!,
      '3xx': answers[3]!,
      '4xx': answers[4]!,
      '5xx': answers[5]!,
    },
    failed: counters.failed,
    aborted: counters.aborted,
    rateLimited: counters.rateLimited,
    retries: counters.retries,
    retriesRefused: counters.retriesRefused,
    upgrades: counters.upgrades,
    bytesIn: counters.bytesIn,
    bytesOut: counters.bytesOut,
    latencyMs: { p50: rounded(0.5), p95: rounded(0.95), p99: rounded(0.99) },
    upstreams: upstreams.map((upstream) => ({
      target: upstream.target,
      name: upstream.name,
      url: upstream.url,
      breaker: upstream.breaker.state,
      health: upstream.health,
      active: upstream.used,
      requests: upstream.requests,
      failures: upstream.failures,
      lastError: upstream.lastError,
    })),
  }
}
