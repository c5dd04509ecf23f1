import type { ToldLimit, ToldLimits } from './rate-headers.ts'

/** A bucket that fills with time. `perSecond` null: there is no known limit. */
export interface Bucket {
  readonly perSecond: number | null
  readonly burst: number
  readonly level: number
  /** Until when it has been filled, ms since 1970. */
  readonly at: number
}

/** The limiter of one account, shared by the fleet: plain JSON. */
export interface LimiterState {
  readonly requests: Bucket
  readonly tokens: Bucket
  /** Calls under way at a time, over the fleet. */
  readonly concurrent: number
  /** Still looking for the first limit: it doubles instead of adding one. */
  readonly starting: boolean
  /** Nothing is sent before, ms since 1970. */
  readonly blockedUntil: number
  /** Calls that began earlier cannot tell anything new about being too fast. */
  readonly cutAt: number
  /** Since when it has gone well at the present pace. */
  readonly grownAt: number
  /** The pace of the last refusal, calls a second. */
  readonly ceiling: number
  readonly successes: number
  /** Calls that ended well, by second, the last few: what the provider is known to take. */
  readonly recent: readonly (readonly [second: number, calls: number])[]
}

/** What is configured; null: to be found out. */
export interface QuotaSettings {
  readonly requestsPerMinute: number | null
  readonly tokensPerMinute: number | null
  readonly concurrent: number | null
}

/** What one process has seen since it last told. */
export interface Observed {
  readonly successes: number
  /** When the calls began that were refused. */
  readonly refused: readonly number[]
  readonly told: ToldLimits | null
  /** Granted before, and not used. Tokens may be negative: calls took more than was thought. */
  readonly unusedRequests: number
  readonly unusedTokens: number
  /** Calls of the whole fleet under way: the provider may not have counted them when it spoke. */
  readonly underWay: number
}

export const noLimits: QuotaSettings = { requestsPerMinute: null, tokensPerMinute: null, concurrent: null }

const firstConcurrent = 4
const mostConcurrent = 1_000
/** Multiplied with after a refusal. */
const cutRate = 0.85
const cutConcurrent = 0.7
/** Added per second while all goes well, as a share of the pace. */
const leastGrowth = 0.02
const mostGrowth = 0.25
/** How much of a pace that the provider's words give is taken over at once, upwards and downwards: they may be late. */
const trustUp = 0.1
const trustDown = 0.3
/** How long to rest after a refusal that names no time. */
const restMs = 1_000
/** A bucket holds no more than this many seconds' worth, unless the provider says that it has more. */
const burstSeconds = 1
const memorySeconds = 3

export function startLimiter(settings: QuotaSettings, now: number): LimiterState {
  return {
    requests: bucketOf(settings.requestsPerMinute, now),
    tokens: bucketOf(settings.tokensPerMinute, now),
    concurrent: settings.concurrent ?? firstConcurrent,
    starting: true,
    ...{ blockedUntil: 0, cutAt: 0, grownAt: now, ceiling: 0, successes: 0, recent: [] },
  }
}

function bucketOf(perMinute: number | null, now: number): Bucket {
  if (perMinute === null) return { perSecond: null, burst: 0, level: 0, at: now }
  const perSecond = perMinute / 60
  const burst = Math.max(1, perSecond * burstSeconds)
  return { perSecond, burst, level: burst, at: now }
}

export function refill(bucket: Bucket, now: number): Bucket {
  if (bucket.perSecond === null || now <= bucket.at) return bucket
  const level = Math.min(bucket.burst, bucket.level + ((now - bucket.at) / 1_000) * bucket.perSecond)
  return { ...bucket, level, at: now }
}

/** The limiter after what a process has seen: additive increase, multiplicative decrease, and what the provider says. */
export function afterObserved(
  before: LimiterState,
  settings: QuotaSettings,
  observed: Observed,
  now: number,
): LimiterState {
  let state: LimiterState = {
    ...before,
    requests: giveBack(refill(before.requests, now), observed.unusedRequests),
    tokens: giveBack(refill(before.tokens, now), observed.unusedTokens),
    recent: remember(before.recent, observed.successes, now),
    successes: before.successes + observed.successes,
  }
  if (observed.told !== null) {
    state = {
      ...state,
      requests: heed(state.requests, observed.told.requests, {
        saidAt: observed.told.at,
        underWay: observed.underWay,
        now,
      }),
      tokens: heed(state.tokens, observed.told.tokens, { saidAt: observed.told.at, underWay: 0, now }),
    }
  }
  const fresh = observed.refused.filter((startedAt) => startedAt >= state.cutAt)
  if (fresh.length > 0) return cut(state, settings, observed.told, now)
  if (observed.refused.length > 0)
    return { ...state, blockedUntil: Math.max(state.blockedUntil, retryOf(observed.told, now)) }
  const told = observed.told?.requests
  return grow(state, settings, told != null && isSure(told, observed.told!.at), now)
}

function giveBack(bucket: Bucket, amount: number): Bucket {
  return bucket.perSecond === null ? bucket : { ...bucket, level: Math.min(bucket.burst, bucket.level + amount) }
}

function remember(recent: LimiterState['recent'], calls: number, now: number): LimiterState['recent'] {
  const second = Math.floor(now / 1_000)
  const kept = recent.filter(([at]) => at > second - memorySeconds)
  if (calls === 0) return kept
  const last = kept.at(-1)
  return last?.[0] === second ? [...kept.slice(0, -1), [second, last[1] + calls]] : [...kept, [second, calls]]
}

/** The provider's own words: its limit sets the pace, and no more is sent than it says remains. */
function heed(
  bucket: Bucket,
  told: ToldLimit | null,
  { saidAt, underWay, now }: { readonly saidAt: number; readonly underWay: number; readonly now: number },
): Bucket {
  if (told === null) return bucket
  const used = told.limit - told.remaining
  // What was used is back at the reset: that gives the pace, once enough was used to tell it from the rounding of times.
  if (used < told.limit * 0.1) return bucket
  if (told.resetAt !== null && told.resetAt <= saidAt) return bucket
  const measured = told.resetAt === null ? told.limit / 60 : (used * 1_000) / (told.resetAt - saidAt)
  const known = bucket.perSecond
  const sure = isSure(told, saidAt)
  const step = measured < known! ? trustDown : sure ? trustUp : 0
  const perSecond = known === null ? measured * (sure ? 1 : cutConcurrent) : known + (measured - known) * step
  const burst = Math.max(1, Math.min(told.limit, perSecond * burstSeconds))
  return {
    perSecond,
    burst,
    level: Math.min(known === null ? burst : bucket.level, Math.max(0, told.remaining - underWay), burst),
    at: now,
  }
}

/** The answer took its time to come: a reset that is near is further off than it seems, and the pace lower. */
function isSure(told: ToldLimit, saidAt: number): boolean {
  return told.resetAt === null || told.resetAt - saidAt >= 1_000
}

function retryOf(told: ToldLimits | null, now: number): number {
  if (told === null) return now + restMs
  const emptied = [told.requests, told.tokens].flatMap((limit) =>
    limit !== null && limit.remaining < 1 && limit.resetAt !== null ? [limit.resetAt] : [],
  )
  return told.retryAt ?? (emptied.length > 0 ? Math.min(...emptied) : now + restMs)
}

function cut(state: LimiterState, settings: QuotaSettings, told: ToldLimits | null, now: number): LimiterState {
  const seen = Math.max(1, ...state.recent.map(([, calls]) => calls))
  const pace = state.requests.perSecond ?? seen
  const perSecond = Math.max(1 / 60, pace * cutRate)
  const burst = Math.max(1, perSecond / 4)
  return {
    ...state,
    requests: { perSecond, burst, level: Math.min(state.requests.level, 0), at: now },
    concurrent: settings.concurrent ?? Math.max(1, Math.floor(state.concurrent * cutConcurrent)),
    starting: false,
    blockedUntil: Math.max(state.blockedUntil, retryOf(told, now)),
    ...{ cutAt: now, grownAt: now, successes: 0, ceiling: pace },
  }
}

/** `told`: the provider says itself how fast is right. */
function grow(state: LimiterState, settings: QuotaSettings, told: boolean, now: number): LimiterState {
  let { requests, concurrent, successes, grownAt } = state
  const most = settings.concurrent ?? mostConcurrent
  if (successes >= concurrent) {
    concurrent = Math.min(most, state.starting ? concurrent * 2 : concurrent + 1)
    successes = 0
  }
  const since = Math.max(grownAt, state.blockedUntil)
  const seconds = (now - since) / 1_000
  const { perSecond } = requests
  // Only a pace that was found out grows: one that is configured is the most there is.
  if (seconds >= 0.25 && perSecond !== null && settings.requestsPerMinute === null && !told) {
    grownAt = now
    const faster = perSecond * (1 + growthOf(perSecond, state, now) * Math.min(seconds, 1))
    requests = { ...requests, perSecond: faster, burst: Math.max(requests.burst, faster / 4, 1) }
  }
  return { ...state, requests, concurrent, successes, grownAt }
}

/**
 * The share that is added per second: little just after a refusal, more the longer all goes well; and much beyond the pace of
 * the last refusal, which was then not what the provider minds.
 */
function growthOf(perSecond: number, { ceiling, cutAt }: LimiterState, now: number): number {
  if (ceiling > 0 && perSecond > ceiling * 1.15) return 0.5
  return Math.min(mostGrowth, Math.max(leastGrowth, ((now - cutAt) / 1_000) * leastGrowth))
}
