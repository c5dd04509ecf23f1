import { transition } from '../../../../foundation/kernel/state-table.ts'
import type { WriteGatewayRoute } from '../route-definition-contract.ts'
import { type BreakerEvent, type BreakerState, breakerTable } from './breaker-states-contract.ts'
import { SlidingCounts } from './sliding-counts.ts'

export type BreakerRule = WriteGatewayRoute['breaker']

/** What a request holds that was let through: results of an earlier time do not count. */
export interface Permit {
  readonly period: number
}

/** Keeps requests from an upstream that fails, and lets a few try whether it works again. All times in ms, monotonic. */
export class Breaker {
  readonly #rule: BreakerRule
  readonly #name: string
  readonly #counts = new SlidingCounts()
  #state: BreakerState = 'closed'
  #permit: Permit = { period: 0 }
  #failuresInRow = 0
  #openUntil = 0
  #probes = 0
  #successes = 0

  constructor(name: string, rule: BreakerRule) {
    this.#name = name
    this.#rule = rule
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Whether `acquire` would let a request through. */
  admits(now: number): boolean {
    if (this.#state === 'closed') return true
    if (this.#state === 'open') return now >= this.#openUntil
    return this.#probes < this.#rule.probes
  }

  /** Until a request may be let through, ms; 0 where one may be now or the next to end decides it. */
  waitMs(now: number): number {
    return this.#state === 'open' ? Math.max(0, this.#openUntil - now) : 0
  }

  /** Lets a request through; every permit is given back by `succeed`, `fail` or `release`. Null: not now. */
  acquire(now: number): Permit | null {
    if (!this.admits(now)) return null
    if (this.#state === 'open') this.#go('time-over', now)
    if (this.#state === 'half-open') this.#probes += 1
    return this.#permit
  }

  succeed(permit: Permit, now: number): void {
    if (permit !== this.#permit) return
    if (this.#state === 'closed') {
      this.#failuresInRow = 0
      this.#counts.add(0, now)
    } else if (this.#state === 'half-open') {
      this.#probes -= 1
      this.#successes += 1
      if (this.#successes >= this.#rule.successes) this.#go('recover', now)
    }
  }

  fail(permit: Permit, now: number): void {
    if (permit !== this.#permit) return
    if (this.#state === 'half-open') {
      this.#go('fail', now)
      return
    }
    this.#failuresInRow += 1
    this.#counts.add(1, now)
    const [succeeded, failed] = this.#counts.totals(now)
    const all = succeeded + failed
    const { failures, rate, requests } = this.#rule
    if (this.#failuresInRow >= failures || (all >= requests && failed >= rate * all)) this.#go('trip', now)
  }

  /** The request ended without telling anything of the upstream: its client went away. */
  release(permit: Permit): void {
    if (permit === this.#permit && this.#state === 'half-open') this.#probes -= 1
  }

  #go(event: BreakerEvent, now: number): void {
    this.#state = transition(breakerTable, `the breaker of ${this.#name}`, this.#state, event)
    this.#permit = { period: this.#permit.period + 1 }
    this.#failuresInRow = 0
    this.#probes = 0
    this.#successes = 0
    this.#counts.clear()
    if (this.#state === 'open') this.#openUntil = now + this.#rule.openMs
  }
}
