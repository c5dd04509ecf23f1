import { parseDuration } from '../../foundation/kernel/units.ts'

/** What a subscription holds in each of its windows. */
export interface SubscriptionTerms {
  /** The length of a window, such as `5h`. */
  readonly timeWindow: string
  /** Null: not known. Where neither is, only what the provider tells counts. */
  readonly tokens: number | null
  readonly requests: number | null
}

/** The present window of a subscription, or the last one; shares in millionths of it. */
export interface SubscriptionState {
  readonly windowStart: Date | null
  readonly windowEnd: Date | null
  readonly usedTokens: number
  readonly usedRequests: number
  /** What counts as used. It never falls within a window. */
  readonly usedPpm: number
  /** What the provider said last of this window. */
  readonly toldPpm: number | null
}

export interface SubscriptionUse {
  readonly tokens: number
  readonly requests: number
  /** How much of the window is used up, percent, as the provider tells its agents; null: nothing was told. */
  readonly percent: number | null
  /** When the window ends, as the provider tells it. */
  readonly resetsAt: Date | null
}

export interface Drawn {
  readonly state: SubscriptionState
  /** What this use has added, whole millionths of the window. */
  readonly ppm: number
}

const whole = 1_000_000
/** What the provider rounds is no new window. */
const leastFallPpm = 10_000

/**
 * What a use takes of a subscription. Tokens and requests are added up and converted as a sum, so that no rounding adds up:
 * what uses have added since the window began is the share that their sum makes. Where the provider tells a level, that
 * counts, because people and other machines draw on the subscription too; a level that falls means that its window began anew.
 */
export function drawOn(terms: SubscriptionTerms, before: SubscriptionState, use: SubscriptionUse, now: Date): Drawn {
  const told = use.percent === null ? null : Math.round((use.percent * whole) / 100)
  const over = before.windowEnd === null || before.windowEnd <= now
  const fallen = told !== null && before.toldPpm !== null && told < before.toldPpm - leastFallPpm
  const known = over || fallen ? begun(terms, now) : before
  const ends = use.resetsAt !== null && use.resetsAt > now ? use.resetsAt : known.windowEnd
  const usedTokens = known.usedTokens + use.tokens
  const usedRequests = known.usedRequests + use.requests
  const added = shareOf(terms, usedTokens, usedRequests) - shareOf(terms, known.usedTokens, known.usedRequests)
  const usedPpm = told === null ? known.usedPpm + added : Math.max(known.usedPpm, told)
  const state = { windowStart: known.windowStart, windowEnd: ends, usedTokens, usedRequests, usedPpm }
  return { state: { ...state, toldPpm: told ?? known.toldPpm }, ppm: usedPpm - known.usedPpm }
}

/** Of what a window holds, in tokens or in requests, whichever is more; millionths, rounded up. */
function shareOf({ tokens, requests }: SubscriptionTerms, usedTokens: number, usedRequests: number): number {
  return Math.max(ppmOf(usedTokens, tokens), ppmOf(usedRequests, requests))
}

function ppmOf(used: number, capacity: number | null): number {
  if (capacity === null) return 0
  return Number((BigInt(used) * BigInt(whole) + BigInt(capacity) - 1n) / BigInt(capacity))
}

function begun({ timeWindow }: SubscriptionTerms, now: Date): SubscriptionState {
  const windowEnd = new Date(now.getTime() + parseDuration(timeWindow))
  return { windowStart: now, windowEnd, usedTokens: 0, usedRequests: 0, usedPpm: 0, toldPpm: null }
}
