import type { Clock } from '../../foundation/kernel/clock.ts'
import { isAppError } from '../../foundation/kernel/errors.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReserveRequest, SpenderPort } from '../../orchestration/budgets/spender-port.ts'
import { type HeldAmounts, StandingHold } from './standing-hold.ts'

export interface StandingHoldsOptions {
  readonly spender: SpenderPort
  readonly clock: Clock
  /** A caller is busy from so many calls a second on. Default 4. */
  readonly busyFrom?: number
  readonly onError: (error: unknown) => void
}

/** A hold that a call has got from one that stands. */
export interface Taken {
  readonly limited: boolean
  /** Once: what the call has spent. */
  give(used: HeldAmounts): void
}

interface Caller {
  readonly tenant: TenantId
  standing: StandingHold | null
  making: boolean
  /** Nothing is made for it before: there was no room. */
  coolUntil: number
  /** When its last calls ended, the newest last. */
  readonly ends: number[]
  underWay: number
  peak: number
}

const lookMs = 200
const mostAgeMs = 2_000
const mostIdleMs = 500
const coolMs = 5_000
const mostCalls = 24
const mostCallers = 10_000

/**
 * Spares busy callers the way to the database before each call: the worst cases of some calls are held at once, and calls are
 * taken from that. It is settled within seconds, when its caller pauses, and at once where anybody of the tenant lacks room.
 */
export class StandingHolds {
  readonly #options: StandingHoldsOptions
  readonly #callers = new Map<string, Caller>()
  /** Those from which nothing is taken any more, until their calls have ended. */
  readonly #ending = new Set<StandingHold>()
  readonly #work = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | null = null
  #closed = false

  constructor(options: StandingHoldsOptions) {
    this.#options = options
  }

  /** Null where the call needs a hold of its own. */
  take(key: string, tenant: TenantId, worst: HeldAmounts): Taken | null {
    const caller = this.#callerOf(key, tenant)
    const { standing } = caller
    if (standing === null) return null
    const now = this.#now()
    if (!standing.take(worst, now)) {
      this.#retire(caller)
      return null
    }
    return {
      limited: standing.reservation.lines.length > 0,
      give: (used) => {
        standing.give(worst, used, this.#now())
        if (standing.isOver) this.#settle(standing)
      },
    }
  }

  /** A call begins. Returns what is to be called at its end. `request`: how its worst case is held, by itself. */
  note(key: string, request: ReserveRequest): () => void {
    const caller = this.#callerOf(key, request.tenant)
    caller.underWay += 1
    caller.peak = Math.max(caller.peak, caller.underWay)
    return () => {
      caller.underWay -= 1
      const now = this.#now()
      caller.ends.push(now)
      const { busyFrom = 4 } = this.#options
      while (caller.ends.length > busyFrom) caller.ends.shift()
      const busy = caller.ends.length === busyFrom && now - caller.ends[0]! <= 1_000
      const may = caller.standing === null && !caller.making && now >= caller.coolUntil && !this.#closed
      if (busy && may) this.#track(this.#make(caller, request))
    }
  }

  /** Somebody of the tenant lacks room: what can be given back is given back at once. True where there was anything. */
  yield(tenant: TenantId): boolean {
    let any = false
    for (const caller of this.#callers.values()) {
      if (caller.tenant !== tenant) continue
      caller.coolUntil = this.#now() + coolMs
      if (caller.standing === null) continue
      any = true
      this.#retire(caller)
    }
    return any
  }

  /** Settles everything. Calls must have ended. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#timer !== null) clearInterval(this.#timer)
    while (this.#work.size > 0) await Promise.all(this.#work)
    for (const caller of this.#callers.values()) this.#retire(caller)
    while (this.#work.size > 0) await Promise.all(this.#work)
  }

  async #make(caller: Caller, request: ReserveRequest): Promise<void> {
    const { spender } = this.#options
    const calls = Math.min(mostCalls, caller.peak + 2)
    const hold = { 'micro-usd': (request.hold['micro-usd'] ?? 0) * calls, tokens: (request.hold.tokens ?? 0) * calls }
    const { least: _least, waitMs: _waitMs, ...same } = request
    caller.making = true
    caller.peak = caller.underWay
    try {
      const reservation = await spender.reserve({ ...same, hold, expected: { 'micro-usd': 0, tokens: 0 } })
      caller.standing = new StandingHold(reservation, this.#now())
      this.#timer ??= setInterval(() => this.#look(), lookMs).unref()
    } catch (error) {
      if (!isAppError(error)) throw error
      caller.coolUntil = this.#now() + coolMs
    } finally {
      caller.making = false
    }
  }

  #look(): void {
    const now = this.#now()
    for (const [key, caller] of this.#callers) {
      const { standing } = caller
      const { ms, idleMs } = standing?.age(now) ?? { ms: 0, idleMs: 0 }
      if (ms > mostAgeMs || idleMs > mostIdleMs) this.#retire(caller)
      const quiet = caller.underWay === 0 && now - (caller.ends.at(-1) ?? 0) > coolMs
      if (caller.standing === null && !caller.making && quiet) this.#callers.delete(key)
    }
  }

  #retire(caller: Caller): void {
    const { standing } = caller
    caller.standing = null
    if (standing === null) return
    standing.retire()
    this.#ending.add(standing)
    if (standing.isOver) this.#settle(standing)
  }

  #settle(standing: StandingHold): void {
    // Twice it would be counted twice.
    if (!this.#ending.delete(standing)) return
    this.#track(this.#options.spender.settle(standing.reservation, standing.spent))
  }

  #callerOf(key: string, tenant: TenantId): Caller {
    let caller = this.#callers.get(key)
    if (caller !== undefined) return caller
    if (this.#callers.size >= mostCallers) this.#look()
    caller = { tenant, standing: null, making: false, coolUntil: 0, ends: [], underWay: 0, peak: 0 }
    this.#callers.set(key, caller)
    return caller
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch(this.#options.onError).finally(() => this.#work.delete(tracked))
    this.#work.add(tracked)
  }

  #now(): number {
    return this.#options.clock.monotonic()
  }
}
