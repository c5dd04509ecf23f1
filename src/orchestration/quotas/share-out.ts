import { type LimiterState, refill } from './limiter.ts'

/** What a process wants, and what the others have and want. */
export interface Demand {
  /** Calls of this process under way. */
  readonly inFlight: number
  /** Calls that it would make now, and their tokens. */
  readonly waiting: number
  readonly waitingTokens: number
  /** The highest priority among them. */
  readonly priority: number
}

export interface OtherSlice extends Demand {
  /** Calls that it may have under way at a time. */
  readonly permits: number
}

export interface Grant {
  readonly requests: number
  readonly tokens: number
  readonly permits: number
}

/** Where only the calls under way are limited. */
export const unlimited = 1_000_000_000

/** The least that goes to whoever asks, however many ask with a higher priority. */
const leastShare = 0.1

/**
 * What this process may use until it asks again: its share of what there is, by what it wants against what the others want;
 * higher priorities first, and a tenth for whoever comes after them. The fleet never gets more than there is.
 */
export function grant(
  state: LimiterState,
  mine: Demand,
  others: readonly OtherSlice[],
  now: number,
): { readonly grant: Grant; readonly state: LimiterState } {
  const requests = refill(state.requests, now)
  const tokens = refill(state.tokens, now)
  const share = shareOf(mine, others)
  const taken = others.reduce((sum, other) => sum + Math.max(other.permits, other.inFlight), 0)
  const fair = Math.max(1, Math.round(state.concurrent * share))
  const free = Math.max(0, state.concurrent - taken)
  const permits = Math.max(
    mine.inFlight,
    Math.min(mine.inFlight + mine.waiting, free, Math.max(fair, free - wantedBy(others))),
  )
  const blocked = now < state.blockedUntil || mine.waiting === 0
  const fromRequests = blocked
    ? 0
    : requests.perSecond === null
      ? unlimited
      : takeOf(requests.level, share, mine.waiting)
  const wantedTokens = Math.ceil(mine.waitingTokens)
  const fromTokens = blocked ? 0 : tokens.perSecond === null ? unlimited : takeOf(tokens.level, share, wantedTokens)
  return {
    grant: { requests: fromRequests, tokens: fromTokens, permits },
    state: {
      ...state,
      requests: requests.perSecond === null ? requests : { ...requests, level: requests.level - fromRequests },
      tokens: tokens.perSecond === null || blocked ? tokens : { ...tokens, level: tokens.level - fromTokens },
    },
  }
}

/** Whole units of a level: the fair share, but one at least while there is one. */
function takeOf(level: number, share: number, wanted: number): number {
  if (level < 1) return 0
  return Math.min(wanted, Math.max(1, Math.floor(level * share)))
}

function shareOf(mine: Demand, others: readonly OtherSlice[]): number {
  const rivals = others.filter((other) => other.waiting > 0)
  if (mine.waiting === 0 || rivals.length === 0) return 1
  const higher = rivals.some((other) => other.priority > mine.priority)
  const equals = rivals.filter((other) => other.priority === mine.priority)
  const equal = mine.waiting / (mine.waiting + equals.reduce((sum, other) => sum + other.waiting, 0))
  return higher ? leastShare * equal : equal
}

function wantedBy(others: readonly OtherSlice[]): number {
  return others.reduce((sum, other) => sum + Math.max(0, other.waiting + other.inFlight - other.permits), 0)
}
