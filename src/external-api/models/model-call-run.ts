import type { IncomingMessage } from 'node:http'
import { AppError } from '../../foundation/kernel/errors.ts'
import type { IdSource, TenantId } from '../../foundation/kernel/ids.ts'
import type { ModelPrice } from '../../foundation/kernel/model-price.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import type { RelayReply } from '../../foundation/platform/http/route.ts'
import type { QuotaBrokerPort, QuotaPermit } from '../../orchestration/quotas/quota-port.ts'
import type { AccountKeys } from './account-keys.ts'
import type { CallHold } from './call-holds.ts'
import type { ModelCall } from './calls-store.ts'
import type { Target } from './catalog.ts'
import type { AskedCall } from './gateway.ts'
import type { ModelSettings } from './models-contract.ts'
import { modelErrors } from './models-errors.ts'
import { asksForUsage, type Outgoing } from './outgoing.ts'
import type { CallRecorder } from './recorder.ts'
import { relayStream } from './relay-stream.ts'
import { answerForChat, answerForMessages, refusalText } from './translate/answers.ts'
import { type StreamTranslation, streamForChat, streamForMessages } from './translate/streams.ts'
import { readAnswer, type Upstream, UpstreamLost, urlOf } from './upstream.ts'
import { type Fields, fieldsOf, parseFields } from './wire/fields.ts'
import type { ModelUsage } from './wire/wire.ts'
import { dialectOf } from './wire/wires.ts'
import { type CostAt, costOfUsage, tokensOf } from './worst-case.ts'

export interface ModelCallRunOptions {
  readonly database: Database
  readonly config: { readonly waitMs: number }
  readonly quotas: QuotaBrokerPort
  readonly accountsOf: TenantId
  readonly priceOf: (model: string, at: Date) => ModelPrice | null
  readonly costAt: CostAt
  readonly recorder: CallRecorder
  readonly upstream: Upstream
  readonly keys: AccountKeys
  readonly ids: IdSource
  readonly asked: AskedCall
  readonly body: Fields
  /** The name that was asked for. */
  readonly name: string
  readonly startedAt: Date
  /** Takes work that nobody waits for. */
  readonly spawn: (work: Promise<void>) => void
  readonly onError: (error: unknown) => void
  /** Told of accounts that fail. */
  readonly onWarning: (fields: object, message: string) => void
}

/** The target may have done the work, and its answer is lost; another one may be asked. */
export interface Retryable {
  readonly lost: Target
  readonly error: AppError
}

/** One sending of the call to one target. */
interface Sending {
  readonly hold: CallHold | null
  readonly one: Outgoing
  readonly permit: QuotaPermit
  readonly text: string
  readonly leftAt: number
  /** Of each answer, where something binds the call. */
  readonly limit: number | null
  firstByteAt: number | null
}

const passedHeaders = ['content-type', 'request-id', 'openai-version', 'openai-processing-ms', 'openai-model']
/** Of the words of a provider that refuses, only the beginning matters. */
const mostRefusal = 1_048_576

/** What becomes of one call: sent to one target after the other, settled and recorded. */
export class ModelCallRun {
  readonly #options: ModelCallRunOptions
  readonly #begun: number
  readonly #dialect: ReturnType<typeof dialectOf>
  readonly #settings: Promise<ModelSettings>
  /** Holds that have been settled or given back. */
  readonly #ended = new Set<CallHold>()

  constructor(options: ModelCallRunOptions) {
    this.#options = options
    this.#begun = options.database.clock.monotonic()
    this.#dialect = dialectOf(options.asked.wire)
    this.#settings = options.recorder.settingsOf(options.asked.tenant).catch((error: unknown) => {
      options.onError(error)
      return { keepContents: false, keepDays: 1 }
    })
  }

  /** Errors: `model-busy`, `model-upstream-failed`, `model-account-unusable`; the hold is given back then. */
  async perform(hold: CallHold | null, targets: readonly Outgoing[]): Promise<RelayReply | Retryable> {
    try {
      return await this.#tryAll(hold, targets)
    } catch (error) {
      // Nobody has done anything for it.
      if (hold !== null && !this.#ended.has(hold)) this.#options.spawn(hold.release())
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
      const permit = await this.#acquire(open, until, asked.signal)
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

  /** Null where there is no leave in time. */
  async #acquire(open: readonly Outgoing[], until: number, signal: AbortSignal): Promise<QuotaPermit | null> {
    const { quotas, accountsOf, database } = this.#options
    const [first] = open
    const stop = new AbortController()
    const leave = () => stop.abort(signal.reason)
    const timer = setTimeout(leave, Math.max(0, until - database.clock.monotonic()))
    signal.addEventListener('abort', leave, { once: true })
    try {
      return await quotas.acquire(
        {
          tenant: accountsOf,
          targets: open.map(({ target }) => ({ account: target.account.name, model: target.model })),
          failover: { account: true, model: true },
          // A token is some four letters of a text, and answers are shorter than they may be.
          tokens: Math.ceil(first!.bound.inputTokens / 4) + Math.min(first!.bound.outputTokens, 1_000),
        },
        stop.signal,
      )
    } catch (error) {
      signal.throwIfAborted()
      if (!stop.signal.aborted) throw error
      return null
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', leave)
    }
  }

  async #send(
    hold: CallHold | null,
    one: Outgoing,
    permit: QuotaPermit,
  ): Promise<RelayReply | Retryable | AppError | Busy> {
    const { asked, database, keys, upstream } = this.#options
    const { account } = one.target
    const limit = hold?.limitFor(one) ?? null
    const text = limited(one, limit)
    const sending: Sending = { hold, one, permit, text, limit, leftAt: database.clock.monotonic(), firstByteAt: null }
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
    this.#finish(sending, { outcome: asked.signal.aborted ? 'cut' : 'failed', status: null, usage: null, answer: '' })
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
    this.#finish(sending, { outcome: 'refused', status, usage: nothing, answer: text })
    const same = dialectOf(sending.one.wire.name) === this.#dialect
    if (same && parseFields(text) !== null) return this.#reply(sending, answer, status, text)
    throw modelErrors['model-upstream-refused'](refusalText(text))
  }

  async #answer(sending: Sending, answer: IncomingMessage, status: number): Promise<RelayReply | Retryable | AppError> {
    const { database } = this.#options
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
    this.#finish(sending, { outcome: 'answered', status, usage, answer: text })
    return this.#reply(sending, answer, status, this.#translated(one, fields, text))
  }

  #translated(one: Outgoing, fields: Fields | null, text: string): string {
    const { asked, database } = this.#options
    if (one.wire.name === asked.wire || fields === null) return text
    const seconds = Math.floor(database.clock.now().getTime() / 1_000)
    return JSON.stringify(asked.wire === 'chat' ? answerForChat(fields, seconds) : answerForMessages(fields))
  }

  async #stream(sending: Sending, answer: IncomingMessage, status: number): Promise<RelayReply> {
    const { asked, database } = this.#options
    const { one, permit } = sending
    const { keepContents } = await this.#settings
    const parts: string[] = []
    const body = relayStream({
      ...{ answer, watch: one.wire.watch(one.hideUsage), translation: this.#streamTranslation(one) },
      ...{ hideUsage: one.hideUsage, dialect: this.#dialect, requestId: asked.requestId, signal: asked.signal },
      onText: keepContents ? (text) => void parts.push(text) : null,
      onFirstByte: () => {
        sending.firstByteAt = database.clock.monotonic()
      },
      onEnd: ({ outcome, usage }) => {
        const tokens = usage === null ? {} : { tokens: tokensOf(usage) }
        permit.done({ status, headers: plainHeaders(answer), ...tokens })
        this.#finish(sending, { outcome, status, usage, answer: parts.join('') })
      },
    })
    const reply = this.#reply(sending, answer, status, '')
    return { ...reply, headers: { ...reply.headers, 'content-type': 'text/event-stream; charset=utf-8' }, body }
  }

  #streamTranslation(one: Outgoing): StreamTranslation | null {
    const { asked, body, database } = this.#options
    if (one.wire.name === asked.wire) return null
    if (asked.wire === 'messages') return streamForMessages()
    return streamForChat({ usage: asksForUsage(body), seconds: Math.floor(database.clock.now().getTime() / 1_000) })
  }

  #reply(sending: Sending, answer: IncomingMessage, status: number, body: string): RelayReply {
    const { target } = sending.one
    const passed = passedHeaders.flatMap((name) => {
      const value = answer.headers[name]
      return typeof value === 'string' ? [[name, value] as const] : []
    })
    const { limit } = sending
    const lowered = limit !== null && limit < sending.one.bound.outputTokens
    return {
      status,
      headers: {
        'content-type': 'application/json',
        ...Object.fromEntries(passed),
        ...{ 'leanvibe-account': target.account.name, 'leanvibe-model': encodeURIComponent(target.model) },
        ...(lowered ? { 'leanvibe-output-limit': String(limit) } : {}),
      },
      body,
    }
  }

  /** Settles by the provider's count, or by all that was held, and writes it down. Nobody waits for it. */
  #finish(sending: Sending, end: CallEnd): void {
    const { hold, one } = sending
    if (hold === null) return
    this.#ended.add(hold)
    const { database, priceOf, costAt, spawn } = this.#options
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
    const { asked, database, ids, name, recorder, startedAt } = this.#options
    const { hold, one, leftAt, firstByteAt } = sending
    const { keepContents, keepDays } = await this.#settings
    const usage = end.usage ?? nothing
    const call: ModelCall = {
      ...{ tenant: asked.tenant, id: ids.next<string>('mcl'), keyId: asked.keyId },
      ...{ runId: asked.key?.runId ?? null, taskId: asked.key?.taskId ?? null, agentId: asked.key?.agentId ?? null },
      ...{ wire: asked.wire as ModelCall['wire'], asked: name, model: one.target.model },
      ...{ account: one.target.account.name, provider: one.target.account.provider },
      ...{ outcome: end.outcome, status: end.status, streamed: fieldsOf(this.#options.body).stream === true },
      counted: end.usage !== null,
      ...{ inputTokens: usage.inputTokens, outputTokens: usage.outputTokens },
      ...{ cacheReadTokens: usage.cacheReadTokens, cacheWriteTokens: usage.cacheWriteTokens, microUsd },
      ...{ heldMicroUsd: hold!.held['micro-usd'], heldTokens: hold!.held.tokens },
      ...{ startedAt, endedAt: database.clock.now() },
      waitMs: Math.max(0, Math.round(leftAt - this.#begun)),
      firstByteMs: firstByteAt === null ? null : Math.max(0, Math.round(firstByteAt - leftAt)),
    }
    recorder.add(call, keepContents ? { request: sending.text, answer: end.answer, days: keepDays } : null)
  }
}

interface CallEnd {
  readonly outcome: ModelCall['outcome']
  readonly status: number | null
  /** Null: nobody has counted. */
  readonly usage: ModelUsage | null
  readonly answer: string
}

/** The provider refuses for now. `final`: it will not change its mind within this call. */
interface Busy {
  readonly busyMs: number
  readonly final: boolean
  readonly text: string
}

const nothing: ModelUsage = {
  ...{ inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, longCacheWriteTokens: 0 },
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

function headersFor({ target }: Outgoing, key: string | null, asked: Fields): Record<string, string> {
  const { account } = target
  const passed = (name: string) => (typeof asked[name] === 'string' ? { [name]: asked[name] } : {})
  const common = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'user-agent': 'leanvibe',
  }
  if (account.provider === 'anthropic') {
    return {
      ...common,
      'anthropic-version': typeof asked['anthropic-version'] === 'string' ? asked['anthropic-version'] : '2023-06-01',
      ...passed('anthropic-beta'),
      ...(key === null ? {} : { 'x-api-key': key }),
      ...account.headers,
    }
  }
  return {
    ...common,
    ...passed('openai-beta'),
    ...(key === null ? {} : { authorization: `Bearer ${key}` }),
    ...account.headers,
  }
}

function plainHeaders(answer: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(answer.headers).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

/** How long the provider wants to be left alone, ms; for the caller to know. */
function waitOf({ headers }: IncomingMessage): number {
  const ms = Number(headers['retry-after-ms'])
  if (Number.isFinite(ms) && ms > 0) return ms
  const seconds = Number(headers['retry-after'])
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : 1_000
}
