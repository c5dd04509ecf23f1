import type { RateLimit } from './token-bucket.ts'

/** The limits of the configuration. Null: none. */
export interface RateLimits {
  /** Of every address, whoever calls from it. */
  readonly ip: RateLimit | null
  /** Of every address, for requests whose key or token is not known. */
  readonly failures: RateLimit | null
  /** Of every key and token. */
  readonly key: RateLimit | null
  /** Of all callers of a tenant together. */
  readonly tenant: RateLimit | null
  /** Of every route, for each tenant. */
  readonly route: RateLimit | null
  /** Of routes that name one of them; for each caller, or address where there is none. */
  readonly named: Readonly<Record<string, RateLimit>>
}

const minute = 60_000

/** Meant to stop what has run wild, not to meter: a tenant's fleet of hundreds of agents stays below. */
export const defaultRateLimits: RateLimits = {
  ip: { requests: 12_000, windowMs: minute },
  failures: { requests: 20, windowMs: minute },
  key: { requests: 3_000, windowMs: minute },
  tenant: { requests: 12_000, windowMs: minute },
  route: { requests: 6_000, windowMs: minute },
  named: {
    /** Webhooks that come in. */
    ingress: { requests: 100, windowMs: minute },
    /** Runners on other machines, of each address: hundreds of calls a second are their normal work. */
    runners: { requests: 60_000, windowMs: minute },
  },
}

/** Routes that name one of these are counted against it alone. */
export const limitsInstead: ReadonlySet<string> = new Set(['runners'])
