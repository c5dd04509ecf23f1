import type { IncomingMessage } from 'node:http'
import { AppError } from '../../foundation/kernel/errors.ts'
import type { IdSource, TenantId } from '../../foundation/kernel/ids.ts'
import type { RelayReply } from '../../foundation/platform/http/route.ts'
import type { QuotaBrokerPort, QuotaPermit } from '../../orchestration/quotas/quota-port.ts'
import type { AccountKeys } from './account-keys.ts'
import { acquireAccount } from './acquire-account.ts'
import { headersFor, plainHeaders, waitOf } from './call-headers.ts'
import type { CallHold } from './call-holds.ts'
import { replyOf } from './call-reply.ts'
import { CallSettlement, type CallSettlementOptions, type Sending } from './call-settlement.ts'
import type { Target } from './catalog.ts'
import { noUsage } from './model-call.ts'
import { modelErrors } from './models-errors.ts'
import type { Outgoing } from './outgoing.ts'
import { relayStream } from './relay-stream.ts'
import { refusalText } from './translate/answers.ts'
import { streamTranslation, translatedAnswer } from './translate/for-caller.ts'
import { readAnswer, type Upstream, UpstreamLost, urlOf } from './upstream.ts'
import { type Fields, parseFields } from './wire/fields.ts'
import { dialectOf } from './wire/wires.ts'
import { tokensOf } from './worst-case.ts'

export interface ModelCallRunOptions extends Omit<CallSettlementOptions, 'streamed'> {
  readonly config: { readonly waitMs: number }
  readonly quotas: QuotaBrokerPort
  readonly accountsOf: TenantId
  readonly upstream: Upstream
  readonly keys: AccountKeys
  readonly ids: IdSource
  readonly body: Fields
  /** Told of accounts that fail. */
  readonly onWarning: (fields: object, message: string) => void
}

/** The target may have done the work, and its answer is lost; another one may be asked. */
export interface Retryable {
  readonly lost: Target
  readonly error: AppError
}

/** Of the words of a provider that refuses, only the beginning matters. */
const mostRefusal = 1_048_576

/** What becomes of one call: sent to one target after the other, settled and recorded. */
export class ModelCallRun {
  readonly #options: ModelCallRunOptions
  readonly #dialect: ReturnType<typeof dialectOf>
  readonly #settlement: CallSettlement

  constructor(options: ModelCallRunOptions) {
    this.#options = options
    this.#dialect = dialectOf(options.asked.wire)
    this.#settlement = new CallSettlement({ ...options, streamed: options.body.stream === true })
  }

  /** Errors: `model-busy`, `model-upstream-failed`, `model-account-unusable`; the hold is given back then. */
  async perform(hold: CallHold | null, targets: readonly Outgoing[]): Promise<RelayReply | Retryable> {
    try {
      return await this.#tryAll(hold, targets)
    } catch (error) {
      if (hold !== null) this.#settlement.release(hold)
      throw error
    }
  }

  async #tryAll(hold: CallHold | null, targets: readonly Outgoing[]): Promise<RelayReply | Retryable> {
    const { asked, config, database } = this.#options
    const until = database.clock.monotonic() + config.waitMs
    let open = targets
    let failure: AppError | null = null
    let busyMs = 1_000
    for (;;) {
      if (open.length === 0) throw failure!
      const permit = await acquireAccount(
        this.#options,
        asked.tenant,
        open,
        until - database.clock.monotonic(),
        asked.signal,
      )
      if (permit === null) throw failure ?? busy('every account of the model is busy', busyMs)
      const one = open.find(
        ({ target }) => target.account.name === permit.target.account && target.model === permit.target.model,
      )!
      const result = await this.#send(hold, one, permit)
      if (result instanceof AppError) failure = result
      else if ('busyMs' in result) {
        busyMs = result.busyMs
        // Who is not wanted back in time need not wait.
        const over = result.final || database.clock.monotonic() + busyMs > until
        failure = over ? busy(result.text, busyMs) : null
        if (!over) continue
      } else return result
      open = open.filter((other) => other !== one)
    }
  }

  async #send(
    hold: CallHold | null,
    one: Outgoing,
    permit: QuotaPermit,
  ): Promise<RelayReply | Retryable | AppError | Busy> {
    const { asked, database, ids, keys, upstream } = this.#options
    const { account } = one.target
    const limit = hold?.limitFor(one) ?? null
    const text = limited(one, limit)
    const id = ids.next<string>('mcl')
    const leftAt = database.clock.monotonic()
    const sending: Sending = { id, hold, one, permit, text, limit, leftAt, firstByteAt: null }
    let answer: IncomingMessage
    try {
      const key = await keys.of(account)
      asked.signal.throwIfAborted()
      const request = { url: urlOf(account.url, one.wire.path), body: text, timeoutMs: account.timeoutMs }
      answer = await upstream.send({ ...request, headers: headersFor(one, key, asked.headers) }, asked.signal)
    } catch (error) {
      permit.done({ status: null })
      if (error instanceof AppError) return error
      if (!(error instanceof UpstreamLost) && !asked.signal.aborted) throw error
      return this.#lost(sending, error)
    }
    const status = answer.statusCode ?? 0
    if (status >= 200 && status < 300) return this.#answer(sending, answer, status)
    return this.#refusal(sending, answer, status)
  }

  /** No answer. What cannot have been heard has cost nothing; all else counts in full. */
  async #lost(sending: Sending, cause: unknown): Promise<Retryable | AppError> {
    const { asked } = this.#options
    const { one } = sending
    const error = modelErrors['model-upstream-failed'](`the account ${one.target.account.name} does not answer`, {
      cause,
    })
    if (cause instanceof UpstreamLost && cause.unsent) {
      return this.#warn(sending, error)
    }
    this.#settlement.finish(sending, {
      outcome: asked.signal.aborted ? 'cut' : 'failed',
      status: null,
      usage: null,
      answer: '',
    })
    asked.signal.throwIfAborted()
    return { lost: one.target, error: this.#warn(sending, error) }
  }

  #warn({ one }: Sending, error: AppError): AppError {
    const fields = { code: error.code, account: one.target.account.name, model: one.target.model, error: error.cause }
    this.#options.onWarning(fields, error.message)
    return error
  }

  async #refusal(sending: Sending, answer: IncomingMessage, status: number): Promise<RelayReply | AppError | Busy> {
    const { keys } = this.#options
    const { account } = sending.one.target
    const text = await readAnswer(answer, mostRefusal).catch(() => '')
    sending.permit.done({ status, headers: plainHeaders(answer) })
    if (status === 429 || status === 529) {
      const final = /insufficient_quota|billing/.test(text)
      return { busyMs: waitOf(answer), final, text: `the account ${account.name} refuses: ${refusalText(text)}` }
    }
    if (status === 401 || status === 403) {
      keys.forget(account)
      const error = modelErrors['model-account-unusable'](`the account ${account.name} is refused with ${status}`)
      return this.#warn(sending, error)
    }
    if (status >= 500) {
      const error = modelErrors['model-upstream-failed'](`the account ${account.name} answers ${status}`)
      return this.#warn(sending, error)
    }
    this.#settlement.finish(sending, { outcome: 'refused', status, usage: noUsage, answer: text })
    const same = dialectOf(sending.one.wire.name) === this.#dialect
    if (same && parseFields(text) !== null) return replyOf(sending, answer, status, text)
    throw modelErrors['model-upstream-refused'](refusalText(text))
  }

  async #answer(sending: Sending, answer: IncomingMessage, status: number): Promise<RelayReply | Retryable | AppError> {
    const { asked, database } = this.#options
    const { one } = sending
    if (String(answer.headers['content-type']).includes('text/event-stream'))
      return this.#stream(sending, answer, status)
    let text: string
    try {
      sending.firstByteAt = database.clock.monotonic()
      text = await readAnswer(answer)
    } catch (error) {
      sending.permit.done({ status })
      return this.#lost(sending, error)
    }
    const fields = parseFields(text)
    const usage = fields === null ? null : one.wire.usageOf(fields)
    sending.permit.done({
      status,
      headers: plainHeaders(answer),
      ...(usage === null ? {} : { tokens: tokensOf(usage) }),
    })
    this.#settlement.finish(sending, { outcome: 'answered', status, usage, answer: text })
    const told = translatedAnswer(asked.wire, one.wire.name, fields, text, database.clock.now())
    const reply = replyOf(sending, answer, status, told)
    const mayKeep = sending.hold === null || (await this.#settlement.settings).keepContents
    return mayKeep
      ? reply
      : { ...reply, unkept: `model call ${sending.id} was counted, and the tenant keeps no answers` }
  }

  async #stream(sending: Sending, answer: IncomingMessage, status: number): Promise<RelayReply> {
    const { asked, database } = this.#options
    const { one, permit } = sending
    const { keepContents } = await this.#settlement.settings
    const parts: string[] = []
    const body = relayStream({
      ...{
        answer,
        watch: one.wire.watch(one.hideUsage),
        translation: streamTranslation(asked.wire, one.wire.name, this.#options.body, database.clock.now()),
      },
      ...{ hideUsage: one.hideUsage, dialect: this.#dialect, requestId: asked.requestId, signal: asked.signal },
      onText: keepContents ? (text) => void parts.push(text) : null,
      onFirstByte: () => {
        sending.firstByteAt = database.clock.monotonic()
      },
      onEnd: ({ outcome, usage }) => {
        const tokens = usage === null ? {} : { tokens: tokensOf(usage) }
        permit.done({ status, headers: plainHeaders(answer), ...tokens })
        this.#settlement.finish(sending, { outcome, status, usage, answer: parts.join('') })
      },
    })
    const reply = replyOf(sending, answer, status, '')
    return {
      ...reply,
      headers: { ...reply.headers, 'content-type': 'text/event-stream; charset=utf-8' },
      body,
      unkept: `model call ${sending.id}`,
    }
  }
}

/** The provider refuses for now. `final`: it will not change its mind within this call. */
interface Busy {
  readonly busyMs: number
  readonly final: boolean
  readonly text: string
}

/** Where something binds the call, its output limit goes in: the caller's, where it names one that is not too high. */
function limited({ wire, body, text, namedOutput, target }: Outgoing, limit: number | null): string {
  if (limit === null) return text
  const bound = wire.limitOutput(body, Math.min(limit, namedOutput ?? limit), target.account.outputField)
  return bound === body ? text : JSON.stringify(bound)
}

function busy(text: string, retryAfterMs: number): AppError {
  return modelErrors['model-busy'](text, { details: { retryAfterMs } })
}
