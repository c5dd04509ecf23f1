import type { Principal } from './principal.ts'

/** What is known of a request before it is read. */
export interface Arrival {
  readonly method: string
  /** The path of the route, with its parameters as `:name`. */
  readonly path: string
  readonly ip: string
  /** The route's own limit, by name; null for none. */
  readonly limit: string | null
}

/** How one limit stands after a request. */
export interface LimitState {
  /** `ip`, `key`, `tenant`, `route` or a name of the configuration. */
  readonly name: string
  /** Requests it allows at most within `windowSeconds`. */
  readonly quota: number
  readonly windowSeconds: number
  /** What is left now, whole requests. */
  readonly remaining: number
  /** Seconds until all of the quota is there again. */
  readonly resetSeconds: number
}

export interface Verdict {
  readonly allowed: boolean
  /** Until the same request may pass; 0 where it is allowed. */
  readonly retryAfterMs: number
  readonly states: readonly LimitState[]
}

/** Counts requests before they reach a route. The server asks it; `external-api/gateway/front-door` is the real one. */
export interface FrontDoor {
  /** Before the caller is known. */
  arrive(arrival: Arrival): Promise<Verdict> | Verdict
  /** Once the caller is known. */
  admit(arrival: Arrival, principal: Principal): Promise<Verdict> | Verdict
  /** A request that could not prove who sent it. */
  fail(arrival: Arrival): Promise<void> | void
}

/**
 * The `RateLimit` and `RateLimit-Policy` fields of draft-ietf-httpapi-ratelimit-headers. The state shown is that of the
 * limit which is nearest to its end.
 */
export function rateLimitHeaders(states: readonly LimitState[]): Record<string, string> {
  const [first] = states
  if (first === undefined) return {}
  let nearest = first
  let policy = ''
  for (const state of states) {
    const { name, quota, windowSeconds, remaining } = state
    if (remaining * nearest.quota < nearest.remaining * quota) nearest = state
    policy += `${policy === '' ? '' : ', '}"${name}";q=${quota};w=${windowSeconds}`
  }
  return {
    'ratelimit-policy': policy,
    ratelimit: `"${nearest.name}";r=${nearest.remaining};t=${Math.ceil(nearest.resetSeconds)}`,
  }
}
