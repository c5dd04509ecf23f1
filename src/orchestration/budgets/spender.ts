import { setImmediate as nextTurn } from 'node:timers/promises'
import { isAppError } from '../../foundation/kernel/errors.ts'
import { type IdSource, systemIds, type TenantId } from '../../foundation/kernel/ids.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { createLoop, type Loop } from '../../foundation/runtime/loop.ts'
import { type BatchAsk, keyOf, placesOf, unitsOf } from './batch-ask.ts'
import { BatchWriter } from './batch-writer.ts'
import { budgetErrors } from './budgets-errors.ts'
import type { AskOutcome, BatchEnding, BatchResult } from './run-batch.ts'
import { type AskOp, closing, type EndOp, knownOf, type Op, refusedBy, wholeAmounts } from './spender-operations.ts'
import type { Amounts, Reservation, ReserveRequest, SpenderPort } from './spender-port.ts'
import { heartbeat, readStates, removeSpender } from './spenders-store.ts'
import { SpendingLog } from './spending-log.ts'

export interface SpenderOptions {
  readonly database: Database
  readonly ids?: IdSource
  /** Most operations of one transaction. Default 256. */
  readonly batch?: number
  /** How often those who wait look again without a reason, ms. Default 100. */
  readonly pollMs?: number
  /** How often this process says that it lives, ms. Default 2,000. */
  readonly heartbeatMs?: number
  readonly onError: (error: unknown) => void
}

const defaultTtlMs = 300_000
/** What ends is written so much later, unless somebody asks before. */
const lingerMs = 5
/** How many of those who wait are tried in one batch. */
const mostWaiting = 64
/** How often a batch whose outcome is not known is looked up and tried again. */
const mostTries = 5

/**
 * Gathers what the callers of this process reserve and settle, and sends one transaction a batch, one at a time: a root
 * budget that all share is locked once a batch, not once a call.
 */
export class Spender implements SpenderPort, AsyncDisposable {
  readonly #options: SpenderOptions
  readonly #ids: IdSource
  readonly #holder: string
  readonly #learned = new SpendingLog()
  readonly #writer: BatchWriter
  #queue: Op[] = []
  #waiting: AskOp[] = []
  #pumping: Promise<void> | null = null
  #beating: Promise<void> | null = null
  #loops: Loop[] = []
  #lingering: NodeJS.Timeout | null = null
  #closed = false

  constructor(options: SpenderOptions) {
    this.#options = options
    this.#ids = options.ids ?? systemIds
    this.#holder = this.#ids.next<string>('spd')
    this.#writer = new BatchWriter(options.database, this.#ids, this.#holder)
  }

  /** Names this process in the rows of what it holds. */
  get holder(): string {
    return this.#holder
  }

  /** How many callers wait for room in a budget. */
  get waiting(): number {
    return this.#waiting.length
  }

  reserve(request: ReserveRequest, signal?: AbortSignal): Promise<Reservation> {
    return this.#ask(this.#ids.next<string>('rsv'), request, request.hold, null, null, signal)
  }

  extend(reservation: Reservation, used: Amounts, hold: Amounts, signal?: AbortSignal): Promise<Reservation> {
    return this.#ask(reservation.id, reservation.request, hold, reservation, used, signal)
  }

  async settle(reservation: Reservation, used: Amounts): Promise<void> {
    const units = unitsOf(reservation.hold)
    const spent = wholeAmounts(units, used)
    await this.#end({ ...knownOf(reservation), event: 'settle', used: spent })
    this.#learned.learn(reservation.request.purpose ?? '', units[0]!, spent[0]!)
  }

  release(reservation: Reservation): Promise<void> {
    return this.#end({ ...knownOf(reservation), event: 'release', used: null })
  }

  /** Waits until nothing is under way. Those who wait for room are refused. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const op of this.#waiting.splice(0)) {
      this.#refuseRow(op)
      op.reject(closing())
    }
    this.#kick()
    while (this.#pumping !== null) await this.#pumping
    await Promise.all(this.#loops.map((loop) => loop.stop()))
    if (this.#beating === null) return
    await this.#options.database.asSystem('budgets').write((tx) => removeSpender(tx, this.#holder))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #ask(
    id: string,
    request: ReserveRequest,
    hold: Amounts,
    from: Reservation | null,
    used: Amounts | null,
    signal: AbortSignal | undefined,
  ): Promise<Reservation> {
    signal?.throwIfAborted()
    if (this.#closed) throw closing()
    const { clock } = this.#options.database
    const units = from === null ? unitsOf(hold) : unitsOf(from.hold)
    if (units.length === 0) throw budgetErrors['reservation-invalid']('a reservation names no unit')
    const holds = wholeAmounts(units, hold)
    const least = request.least === undefined ? holds : wholeAmounts(units, request.least)
    const { purpose = '', waitMs = 0, ttlMs = defaultTtlMs } = request
    const expected =
      request.expected === undefined
        ? units.map((unit, n) => this.#learned.expect(purpose, unit, holds[n]!))
        : wholeAmounts(units, request.expected)
    const ask: BatchAsk = {
      ...{ id, request, extends: from, units, holds, expected, places: placesOf(request, units) },
      least: least.map((amount, n) => Math.min(amount, holds[n]!)),
      waits: waitMs > 0,
      forced: false,
      expiresAt: new Date(clock.now().getTime() + ttlMs + waitMs),
    }
    await this.#live()
    const { promise, resolve, reject } = Promise.withResolvers<Reservation>()
    const op: AskOp = {
      ...{ kind: 'ask', ask, signal, resolve, reject, recorded: false, drawn: false },
      used: used === null ? null : wholeAmounts(units, used),
      until: clock.monotonic() + waitMs,
    }
    const abandon = () => this.#abandon(op)
    signal?.addEventListener('abort', abandon)
    this.#push(op)
    return promise.finally(() => signal?.removeEventListener('abort', abandon))
  }

  #end(ending: BatchEnding): Promise<void> {
    return new Promise((resolve, reject) => this.#push({ kind: 'end', ending, resolve, reject }))
  }

  #push(op: Op): void {
    this.#queue.push(op)
    // Who settles waits for nobody; who asks next would wait for a batch that holds this alone.
    if (op.kind === 'end' && this.#waiting.length === 0 && !this.#closed) this.#linger()
    else this.#kick()
  }

  #linger(): void {
    this.#lingering ??= setTimeout(() => {
      this.#lingering = null
      this.#kick()
    }, lingerMs)
  }

  #kick(): void {
    if (this.#pumping !== null || this.#queue.length === 0) return
    this.#pumping = this.#pump().finally(() => {
      this.#pumping = null
      this.#kick()
    })
  }

  /** The first call announces this process; from then on it says every few seconds that it lives. */
  #live(): Promise<void> {
    this.#beating ??= this.#beat().then(
      () => {
        const { heartbeatMs = 2_000, pollMs = 100, onError } = this.#options
        this.#loops.push(createLoop({ pollMs: heartbeatMs, onError, step: () => this.#beat() }))
        this.#loops.push(createLoop({ pollMs, onError, step: async () => this.#look() }))
      },
      (error) => {
        this.#beating = null
        throw error
      },
    )
    return this.#beating
  }

  async #beat(): Promise<void> {
    const { database } = this.#options
    await database.asSystem('budgets').write((tx) => heartbeat(tx, this.#holder, database.clock.now()))
  }

  /** Lets those who wait try again; whose time is up tries for the last time. */
  #look(): void {
    this.#queue.push(...this.#takeWaiting())
    this.#kick()
  }

  #takeWaiting(): AskOp[] {
    this.#waiting.sort((a, b) => (b.ask.request.priority ?? 5) - (a.ask.request.priority ?? 5))
    return this.#waiting.splice(0, mostWaiting)
  }

  #abandon(op: AskOp): void {
    const at = this.#waiting.indexOf(op)
    if (at < 0) return // it is in the queue or under way: what it gets is given back when it comes
    this.#waiting.splice(at, 1)
    this.#refuseRow(op)
    op.reject(op.signal?.reason)
  }

  /** Its row says that it waits: it no longer does. */
  #refuseRow(op: AskOp): void {
    if (!op.recorded) return
    const ending: BatchEnding = {
      tenant: op.ask.request.tenant,
      id: op.ask.id,
      event: 'refuse',
      used: null,
      known: null,
    }
    this.#end(ending).catch(this.#options.onError)
  }

  async #pump(): Promise<void> {
    // Callers that were just answered ask again in this turn: the batch waits for them.
    await nextTurn()
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch()
      await this.#perform(batch)
      await nextTurn()
    }
  }

  /** At most one operation of each reservation, and those who wait as soon as somebody gives back. */
  #takeBatch(): readonly Op[] {
    const { batch = 256 } = this.#options
    if (this.#waiting.length > 0) this.#queue.push(...this.#takeWaiting())
    const seen = new Set<string>()
    const taken: Op[] = []
    const left: Op[] = []
    for (const op of this.#queue) {
      const id = op.kind === 'ask' ? op.ask.id : op.ending.id
      if (taken.length >= batch || seen.has(id)) left.push(op)
      else taken.push(op)
      seen.add(id)
    }
    this.#queue = left
    return taken
  }

  async #perform(batch: readonly Op[]): Promise<void> {
    let open = batch
    for (let round = 1; open.length > 0; round++) {
      const asks = open.filter((op) => op.kind === 'ask')
      const endings = open.filter((op) => op.kind === 'end')
      try {
        this.#deliver(asks, endings, await this.#writer.write(asks, endings))
        return
      } catch (error) {
        if (!isAppError(error, 'commit-unknown') || round >= mostTries) {
          for (const op of open) op.reject(error)
          return
        }
        open = await this.#afterUnknown(open, error).catch((failure: unknown) => {
          for (const op of open) op.reject(failure)
          return []
        })
      }
    }
  }

  /** Looks up which operations of a batch have happened after all; all of them, or none. */
  async #afterUnknown(open: readonly Op[], cause: unknown): Promise<readonly Op[]> {
    const refs = open.map((op) => (op.kind === 'ask' ? { ...op.ask, ...op.ask.request } : op.ending))
    const states = await this.#options.database.asSystem('budgets').read((tx) => readStates(tx, refs))
    const left: Op[] = []
    for (const op of open) {
      if (op.kind === 'end') {
        const state = states.get(keyOf(op.ending))
        if (state === undefined || state === 'held' || state === 'waiting') left.push(op)
        else op.resolve()
        continue
      }
      // What it got is not known any more: it is given back, and asked for anew under another name.
      const ref = { tenant: op.ask.request.tenant, id: op.ask.id }
      if (op.ask.extends !== null) op.reject(cause)
      else if (states.get(keyOf(ref)) !== 'held') left.push(op)
      else {
        this.#giveBack(ref.tenant, ref.id)
        left.push({ ...op, recorded: false, ask: { ...op.ask, id: this.#ids.next<string>('rsv') } })
      }
    }
    return left
  }

  #deliver(asks: readonly AskOp[], endings: readonly EndOp[], { ended, outcomes }: Omit<BatchResult, 'budgets'>): void {
    for (const op of endings) {
      const { event, id } = op.ending
      if (ended.has(keyOf(op.ending)) || event === 'refuse') op.resolve()
      else op.reject(budgetErrors['reservation-ended'](`reservation ${id} has ended already: ${event} does not apply`))
    }
    asks.forEach((op, n) => {
      this.#answer(op, outcomes[n]!)
    })
  }

  #answer(op: AskOp, outcome: AskOutcome): void {
    const gone = op.signal?.aborted === true
    op.drawn = true
    if (outcome.kind === 'ended') {
      op.reject(budgetErrors['reservation-ended'](`reservation ${op.ask.id} has ended already and cannot be extended`))
    } else if (outcome.kind === 'refused') {
      op.recorded ||= op.ask.waits && op.ask.extends === null
      if (op.until > this.#options.database.clock.monotonic() && !gone && !this.#closed) {
        this.#waiting.push(op)
        return
      }
      this.#refuseRow(op)
      op.reject(gone ? op.signal?.reason : this.#closed ? closing() : refusedBy(outcome.budget))
    } else if (gone) {
      this.#giveBack(outcome.reservation.request.tenant, outcome.reservation.id)
      op.reject(op.signal?.reason)
    } else op.resolve(outcome.reservation)
  }

  /** Nobody is there any more to take it, and nothing was spent of it. */
  #giveBack(tenant: TenantId, id: string): void {
    this.#end({ tenant, id, event: 'release', used: null, known: null }).catch(this.#options.onError)
  }
}
