import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Observed } from './limiter.ts'
import type { CallOutcome } from './quota-port.ts'
import { readRateHeaders, type ToldLimits } from './rate-headers.ts'
import { type Demand, type Grant, unlimited } from './share-out.ts'

/** Statuses by which providers say that an account is used too fast: 429, and Anthropic's 529 for an overload. */
export function isRefusal(status: number | null): boolean {
  return status === 429 || status === 529
}

/** What one process has seen; what the others do is added by the fleet. */
export type Seen = Omit<Observed, 'underWay'>

/** What this process may use of an account for the moment, in memory, and what it has seen since it last told. */
export class AccountGate {
  readonly tenant: TenantId
  readonly account: string
  /** Nothing is sent before, ms since 1970. */
  blockedUntil = 0
  inFlight = 0
  /** Those who would go now: count, tokens and highest priority; kept by the broker. */
  queued: Omit<Demand, 'inFlight'> = { waiting: 0, waitingTokens: 0, priority: 0 }
  /** The account does not exist. */
  unknown = false
  /** Monotonic time of the last use or wish. */
  usedAt = 0
  #requests = 0
  #tokens = 0
  #permits = 0
  #granted = false
  #used = 0
  #usedTokens = 0
  #successes = 0
  #refused: number[] = []
  #told: ToldLimits | null = null

  constructor(tenant: TenantId, account: string) {
    this.tenant = tenant
    this.account = account
  }

  /** Takes leave for one call, if there is any. */
  take(tokens: number, now: number): boolean {
    if (now < this.blockedUntil || this.#requests < 1 || this.inFlight >= this.#permits) return false
    if (tokens > 0 && this.#tokens < tokens) return false
    this.#requests -= 1
    this.#tokens -= tokens
    this.inFlight += 1
    this.#used += 1
    this.#usedTokens += tokens
    return true
  }

  /** A call is over. True where the fleet should hear of it at once. */
  finish(startedAt: number, reserved: number, outcome: CallOutcome, now: number): boolean {
    this.inFlight -= 1
    if (outcome.tokens !== undefined) this.#tokens += reserved - outcome.tokens
    const told = readRateHeaders(outcome.headers, now)
    if (told.requests !== null || told.tokens !== null || told.retryAt !== null) this.#told = told
    if (!isRefusal(outcome.status)) {
      if (outcome.status !== null && outcome.status < 500) this.#successes += 1
      return false
    }
    this.#refused.push(startedAt)
    const rest = told.retryAt ?? told.requests?.resetAt ?? now + 1_000
    this.blockedUntil = Math.max(this.blockedUntil, rest)
    return true
  }

  /** It has nothing to tell and wants nothing. */
  get idle(): boolean {
    return (
      this.queued.waiting === 0 && this.inFlight === 0 && !this.#granted && this.#successes + this.#refused.length === 0
    )
  }

  /** Hands over what was seen and what is unused, and begins anew. What it is worth now is decided by the fleet. */
  tell(): { readonly observed: Seen; readonly demand: Demand } {
    const observed: Seen = {
      successes: this.#successes,
      refused: this.#refused,
      told: this.#told,
      unusedRequests: this.#requests > unlimited / 2 ? 0 : this.#requests,
      unusedTokens: this.#tokens > unlimited / 2 ? 0 : this.#tokens,
    }
    const { waiting, waitingTokens, priority } = this.queued
    // Those who were served come back: what was used since the last time is wanted again, while anything is going on.
    const busy = waiting > 0 || this.inFlight > 0
    const demand = {
      inFlight: this.inFlight,
      waiting: waiting + (busy ? this.#used : 0),
      waitingTokens: waitingTokens + (busy ? this.#usedTokens : 0),
      priority,
    }
    this.#successes = 0
    this.#refused = []
    this.#told = null
    this.#requests = 0
    this.#tokens = 0
    this.#used = 0
    this.#usedTokens = 0
    return { observed, demand }
  }

  /** What was told did not arrive: it is told again, with what was seen since. */
  untell(observed: Seen): void {
    this.#successes += observed.successes
    this.#refused = [...observed.refused, ...this.#refused]
    this.#told ??= observed.told
  }

  /** `tokens` may be owed: calls under way have taken more than was thought. */
  accept({ requests, tokens, permits }: Grant, blockedUntil: number): void {
    this.#requests += requests
    this.#tokens += tokens
    this.#permits = permits
    this.#granted = requests > 0 || permits > 0
    this.blockedUntil = Math.max(blockedUntil, this.#refused.length > 0 ? this.blockedUntil : 0)
  }

  /** The slice was given back. */
  reset(): void {
    this.#granted = false
    this.#permits = 0
  }
}
