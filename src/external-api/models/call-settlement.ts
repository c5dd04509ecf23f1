import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ModelPrice } from '../../foundation/kernel/model-price.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import type { QuotaPermit } from '../../orchestration/quotas/quota-port.ts'
import type { CallHold } from './call-holds.ts'
import type { AskedCall } from './gateway.ts'
import { type CallEnd, modelCallOf } from './model-call.ts'
import type { ModelSettings } from './models-contract.ts'
import type { Outgoing } from './outgoing.ts'
import type { CallRecorder } from './recorder.ts'
import { type CostAt, costOfUsage, tokensOf } from './worst-case.ts'

/** One sending of the call to one target. */
export interface Sending {
  /** Of the call, as it is listed. */
  readonly id: string
  readonly hold: CallHold | null
  readonly one: Outgoing
  readonly permit: QuotaPermit
  readonly text: string
  readonly leftAt: number
  /** Of each answer, where something binds the call. */
  readonly limit: number | null
  firstByteAt: number | null
}

export interface CallSettlementOptions {
  readonly database: Database
  readonly priceOf: (model: string, at: Date) => ModelPrice | null
  readonly costAt: CostAt
  readonly recorder: CallRecorder
  readonly asked: AskedCall
  /** The name that was asked for. */
  readonly name: string
  readonly streamed: boolean
  readonly startedAt: Date
  /** Takes work that nobody waits for. */
  readonly spawn: (work: Promise<void>) => void
  readonly onError: (error: unknown) => void
}

/** Settles and writes down what the sendings of one call came to. */
export class CallSettlement {
  /** What the tenant wants to be kept. */
  readonly settings: Promise<ModelSettings>
  readonly #options: CallSettlementOptions
  readonly #begun: number
  readonly #ended = new Set<CallHold>()

  constructor(options: CallSettlementOptions) {
    this.#options = options
    this.#begun = options.database.clock.monotonic()
    this.settings = settingsOf(options, options.asked.tenant)
  }

  /** Gives a hold back that nobody has done anything for. */
  release(hold: CallHold): void {
    if (!this.#ended.has(hold)) this.#options.spawn(hold.release())
  }

  /** Settles by the provider's count, or by all that was held, and writes it down. Nobody waits for it. */
  finish(sending: Sending, end: CallEnd): void {
    const { hold, one } = sending
    if (hold === null) return
    this.#ended.add(hold)
    const { asked, database, priceOf, costAt, spawn } = this.#options
    if (end.outcome !== 'refused') asked.tookEffect()
    const { held } = hold
    const price = priceOf(one.target.model, database.clock.now())
    const { usage } = end
    const cost = usage === null ? held['micro-usd'] : price === null ? 0 : costOfUsage(usage, price, costAt)
    const tokens = usage === null ? held.tokens : tokensOf(usage)
    // At once, so that whatever the caller asks for next finds it given back.
    const settled = end.outcome === 'refused' ? hold.release() : hold.settle({ 'micro-usd': cost, tokens })
    spawn(settled)
    const known = price !== null && (usage !== null || one.unpriced === null)
    spawn(this.#record(sending, end, known ? cost : null))
  }

  async #record(sending: Sending, end: CallEnd, microUsd: number | null): Promise<void> {
    const { asked, database, name, recorder, startedAt, streamed } = this.#options
    const { hold, id, one, leftAt, firstByteAt } = sending
    const { keepContents, keepDays } = await this.settings
    const whole = (ms: number) => Math.max(0, Math.round(ms))
    const call = modelCallOf({
      ...{ asked, name, target: one.target, end, microUsd, held: hold!.held, id, streamed },
      ...{ startedAt, endedAt: database.clock.now(), waitMs: whole(leftAt - this.#begun) },
      firstByteMs: firstByteAt === null ? null : whole(firstByteAt - leftAt),
    })
    recorder.add(call, keepContents ? { request: sending.text, answer: end.answer, days: keepDays } : null)
  }
}

/** Nothing is kept where nobody can say. */
function settingsOf(
  { recorder, onError }: Pick<CallSettlementOptions, 'recorder' | 'onError'>,
  tenant: TenantId,
): Promise<ModelSettings> {
  return recorder.settingsOf(tenant).catch((error: unknown) => {
    onError(error)
    return { keepContents: false, keepDays: 1 }
  })
}
