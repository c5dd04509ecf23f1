import { type IdSource, systemIds } from '../../foundation/kernel/ids.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import { AccountGate, isRefusal } from './account-gate.ts'
import { allowedTargets } from './allowed-targets.ts'
import { FairOrder } from './fair-order.ts'
import { afterObserved, type LimiterState, startLimiter } from './limiter.ts'
import type { CallOutcome, QuotaBrokerPort, QuotaPermit, QuotaRequest, QuotaTarget } from './quota-port.ts'
import { quotaErrors } from './quotas-errors.ts'
import { lockAccount, readSlices, writeSlice } from './quotas-store.ts'
import { grant } from './share-out.ts'

export interface QuotaBrokerOptions {
  readonly database: Database
  readonly ids?: IdSource
  /** How often a process tells the fleet what it has seen, and asks for its next slice, ms. Default 100. */
  readonly sliceMs?: number
  /** How long a slice is kept for a process that says nothing, ms. Default 10,000. */
  readonly leaseMs?: number
  /** Of those who ask, where they share an account. Default: all are alike. */
  readonly weightOf?: (asker: string) => number
  readonly onError: (error: unknown) => void
}

interface Waiter {
  readonly asker: string
  readonly priority: number
  readonly request: QuotaRequest
  readonly choices: readonly { readonly target: QuotaTarget; readonly gate: AccountGate; readonly alike: boolean }[]
  /** Order of arrival; who was refused by the provider keeps it. */
  readonly turn: number
  /** Monotonic time of arrival. */
  readonly since: number
  readonly resolve: (permit: QuotaPermit) => void
  readonly reject: (error: unknown) => void
}

const usualPatienceMs = 1_000
/** Every so often the longest wait counts more than the highest priority. */
const fairEvery = 10

/**
 * The quota broker of one process. Leave is given from memory, out of slices of each account that are shared out over the
 * fleet by the rows of the database; what providers answer is told to the fleet with the next slice, refusals at once.
 */
export class QuotaBroker implements QuotaBrokerPort, AsyncDisposable {
  readonly #options: QuotaBrokerOptions
  readonly #holder: string
  readonly #gates = new Map<string, AccountGate>()
  readonly #loop: Loop
  readonly #order: FairOrder
  #waiters: Waiter[] = []
  #turn = 0
  #served = 0
  #closed = false

  constructor(options: QuotaBrokerOptions) {
    this.#options = options
    this.#holder = (options.ids ?? systemIds).next<string>('qbr')
    const { sliceMs = 100, onError } = options
    this.#order = new FairOrder(options.weightOf)
    this.#loop = createLoop({ pollMs: sliceMs, minIntervalMs: sliceMs / 4, onError, step: () => this.#exchangeAll() })
  }

  acquire(request: QuotaRequest, signal?: AbortSignal): Promise<QuotaPermit> {
    return this.#enqueue(request, this.#turn++, signal)
  }

  async run<T extends CallOutcome>(
    request: QuotaRequest,
    call: (target: QuotaTarget, signal: AbortSignal) => Promise<T>,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<T> {
    const turn = this.#turn++
    for (;;) {
      const permit = await this.#enqueue(request, turn, signal)
      let outcome: T
      try {
        outcome = await call(permit.target, signal)
      } catch (error) {
        permit.done({ status: null })
        throw error
      }
      permit.done(outcome)
      if (!isRefusal(outcome.status)) return outcome
    }
  }

  /** Gives the slices back. Those who wait are refused; calls under way may end. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const waiter of this.#waiters.splice(0)) waiter.reject(quotaErrors['quota-closed']('the process is ending'))
    await this.#loop.stop()
    for (const gate of this.#gates.values()) {
      gate.queued = { waiting: 0, waitingTokens: 0, priority: 0 }
      await this.#exchange(gate)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #enqueue(request: QuotaRequest, turn: number, signal: AbortSignal | undefined): Promise<QuotaPermit> {
    signal?.throwIfAborted()
    if (this.#closed) throw quotaErrors['quota-closed']('the process is ending')
    const { promise, resolve, reject } = Promise.withResolvers<QuotaPermit>()
    const [first] = request.targets
    const choices = allowedTargets(request).map((target) => ({
      ...{ target, gate: this.#gateOf(request, target) },
      alike: target.model === first?.model && target.agentKind === first?.agentKind,
    }))
    const { asker = request.tenant, priority = 5 } = request
    const waiter: Waiter = {
      asker,
      priority,
      request,
      choices,
      turn,
      since: this.#options.database.clock.monotonic(),
      resolve,
      reject,
    }
    this.#waiters.push(waiter)
    const leave = () => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter)
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', leave, { once: true })
    this.#serve()
    if (this.#waiters.includes(waiter)) this.#loop.poke()
    return promise.finally(() => signal?.removeEventListener('abort', leave))
  }

  #gateOf({ tenant }: QuotaRequest, { account }: QuotaTarget): AccountGate {
    const key = `${tenant}/${account}`
    let gate = this.#gates.get(key)
    if (gate === undefined || gate.unknown) {
      gate = new AccountGate(tenant, account)
      this.#gates.set(key, gate)
    }
    return gate
  }

  /** Gives leave to those for whom there is any: by priority, then in fair parts of those who ask, then by arrival; now and then to who has waited longest. */
  #serve(): void {
    if (this.#waiters.length === 0) return
    const { clock } = this.#options.database
    const now = clock.now().getTime()
    const order = this.#order.of(this.#waiters)
    if (this.#served % fairEvery === fairEvery - 1) {
      const oldest = order.reduce((first, waiter) => (waiter.turn < first.turn ? waiter : first))
      order.splice(order.indexOf(oldest), 1)
      order.unshift(oldest)
    }
    const left = new Set(this.#waiters)
    const full = new Set<AccountGate>()
    for (const waiter of order) {
      const choice = this.#choose(waiter, full, now, clock.monotonic())
      if (choice === undefined) continue
      left.delete(waiter)
      this.#served += 1
      this.#order.served(waiter.asker)
      waiter.resolve(this.#permit(choice.target, choice.gate, waiter.request.tokens ?? 0, now))
    }
    this.#waiters = [...left]
  }

  #choose({ request, choices, since }: Waiter, full: Set<AccountGate>, now: number, at: number) {
    const { tokens = 0, patienceMs = usualPatienceMs } = request
    for (const choice of choices) {
      if (full.has(choice.gate)) continue
      // Another model is second best: only where the first cannot be had for a while.
      const preferred = choices[0]!.gate
      if (!choice.alike && at - since < patienceMs && preferred.blockedUntil - now < patienceMs) continue
      if (choice.gate.take(tokens, now)) return choice
      // Who needs fewer tokens may still find room.
      if (tokens === 0) full.add(choice.gate)
    }
    return undefined
  }

  #permit(target: QuotaTarget, gate: AccountGate, tokens: number, startedAt: number): QuotaPermit {
    let over = false
    gate.usedAt = this.#options.database.clock.monotonic()
    return {
      target,
      done: (outcome) => {
        if (over) return
        over = true
        const refused = gate.finish(startedAt, tokens, outcome, this.#options.database.clock.now().getTime())
        if (refused) this.#loop.poke()
        this.#serve()
      },
    }
  }

  /** Tells what was seen of each account in use, and takes the next slices. */
  async #exchangeAll(): Promise<void> {
    this.#countQueued()
    const gates = [...this.#gates.values()].filter((gate) => !gate.idle)
    await Promise.all(gates.map((gate) => this.#exchange(gate)))
    this.#serve()
  }

  /** A wish that can go to several accounts counts with each: whatever it does not use goes back. */
  #countQueued(): void {
    for (const gate of this.#gates.values()) gate.queued = { waiting: 0, waitingTokens: 0, priority: 0 }
    for (const { request, priority: own, choices } of this.#waiters) {
      for (const { gate } of choices) {
        const { waiting, waitingTokens, priority } = gate.queued
        gate.queued = {
          waiting: waiting + 1,
          waitingTokens: waitingTokens + (request.tokens ?? 0),
          priority: Math.max(priority, own),
        }
      }
    }
  }

  async #exchange(gate: AccountGate): Promise<void> {
    const { database, leaseMs = 10_000 } = this.#options
    const { tenant, account } = gate
    const { observed, demand } = gate.tell()
    try {
      const next = await database.asSystem('quotas').write(async (tx) => {
        const at = database.clock.now()
        const now = at.getTime()
        const row = await lockAccount(tx, tenant, account)
        if (row === null) return null
        const others = await readSlices(tx, tenant, account, this.#holder, at)
        const before: LimiterState = row.state ?? startLimiter(row.settings, now)
        const underWay = others.reduce((sum, other) => sum + other.inFlight, demand.inFlight)
        const told = afterObserved(before, row.settings, { ...observed, underWay }, now)
        const { grant: given, state } = grant(told, demand, others, now)
        const wants = demand.inFlight + demand.waiting > 0
        const slice = wants ? { ...demand, permits: given.permits } : null
        const ref = { tenant, account, holder: this.#holder }
        await writeSlice(tx, ref, state, slice, at, new Date(now + leaseMs))
        return { given: wants ? given : null, blockedUntil: state.blockedUntil }
      })
      if (next === null) this.#refuseUnknown(gate)
      else if (next.given === null) gate.reset()
      else gate.accept(next.given, next.blockedUntil)
    } catch (error) {
      gate.untell(observed)
      throw error
    }
  }

  #refuseUnknown(gate: AccountGate): void {
    gate.unknown = true
    const concerned = this.#waiters.filter(({ choices }) => choices.every((choice) => choice.gate.unknown))
    this.#waiters = this.#waiters.filter((waiter) => !concerned.includes(waiter))
    this.#gates.delete(`${gate.tenant}/${gate.account}`)
    const message = `there is no account ${gate.account}`
    for (const waiter of concerned) waiter.reject(quotaErrors['quota-unknown'](message))
  }
}
