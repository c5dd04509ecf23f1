import type { Reservation } from '../../orchestration/budgets/spender-port.ts'

/** US$ and tokens of the ledger, in whole units. */
export interface HeldAmounts {
  readonly 'micro-usd': number
  readonly tokens: number
}

/**
 * A hold that the calls of a busy caller are taken from, in memory: what they can spend together is never more than is held.
 * What they have spent is settled with it, once nothing is under way.
 */
export class StandingHold {
  readonly reservation: Reservation
  readonly #born: number
  #usedAt: number
  #underWay = 0
  #retired = false
  /** Of calls under way, at worst, and of those that are over. */
  #flight: HeldAmounts = none
  #spent: HeldAmounts = none

  constructor(reservation: Reservation, now: number) {
    this.reservation = reservation
    this.#born = now
    this.#usedAt = now
  }

  get spent(): HeldAmounts {
    return this.#spent
  }

  /** Nothing more is taken from it, and nothing is under way. */
  get isOver(): boolean {
    return this.#retired && this.#underWay === 0
  }

  /** Sets an amount aside for a call; false where too little is free. */
  take(worst: HeldAmounts, now: number): boolean {
    const { hold } = this.reservation
    const fits = units.every((unit) => this.#flight[unit] + this.#spent[unit] + worst[unit] <= (hold[unit] ?? 0))
    if (this.#retired || !fits) return false
    this.#flight = sum(this.#flight, worst, 1)
    this.#underWay += 1
    this.#usedAt = now
    return true
  }

  /** The call for which `worst` was set aside has spent `used`. */
  give(worst: HeldAmounts, used: HeldAmounts, now: number): void {
    this.#flight = sum(this.#flight, worst, -1)
    this.#spent = sum(this.#spent, used, 1)
    this.#underWay -= 1
    this.#usedAt = now
  }

  /** Since it was made, and since anybody had to do with it, ms. */
  age(now: number): { readonly ms: number; readonly idleMs: number } {
    return { ms: now - this.#born, idleMs: this.#underWay > 0 ? 0 : now - this.#usedAt }
  }

  retire(): void {
    this.#retired = true
  }
}

const units = ['micro-usd', 'tokens'] as const
const none: HeldAmounts = { 'micro-usd': 0, tokens: 0 }

function sum(a: HeldAmounts, b: HeldAmounts, sign: 1 | -1): HeldAmounts {
  return { 'micro-usd': a['micro-usd'] + sign * b['micro-usd'], tokens: a.tokens + sign * b.tokens }
}
