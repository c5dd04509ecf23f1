import { type AppError, isAppError } from '../../../foundation/kernel/errors.ts'
import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import type { AddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import { SecretMasker } from '../../../foundation/platform/secrets/index.ts'
import { attemptErrorOf } from '../../runners/attempt-errors-contract.ts'
import type { Assignment, AttemptError, AttemptSpending } from '../../runners/exchange-contract.ts'
import type { ResolvedAgent } from '../../workflows/task-contract.ts'
import type { AgentAnswer, AgentSession, SessionContext, SessionEnd } from '../sessions/agent-session.ts'
import { pause } from '../sessions/pause.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import { SilenceWatch } from '../sessions/silence-watch.ts'
import { ToldTools } from '../sessions/told-tools.ts'
import type { HttpDriverOptions } from './http-driver.ts'
import { httpAgentErrors } from './http-errors.ts'
import { fillUrl, pick } from './http-language.ts'
import { type HttpAnswer, type HttpCall, sendRequest } from './send-request.ts'
import type { OpenedCall } from './service-calls.ts'
import type { ServiceMessage } from './service-calls-contract.ts'
import type { StoredMessage } from './service-calls-store.ts'
import { readSpent } from './service-spending.ts'
import { failureOf, isOk } from './status-rules.ts'

export interface HttpSessionOptions extends HttpDriverOptions {
  readonly guard: AddressGuard
}

/** Work whose step and pool set no limit may be told of for so long. */
const longestMs = 7 * 86_400_000
const cancelMs = 3_000
const done: AgentAnswer = { outcome: 'done', error: null }

/** One task of a service. */
export class HttpSession implements AgentSession {
  readonly #options: HttpSessionOptions
  readonly #assignment: Assignment
  readonly #context: SessionContext
  readonly #startedAt = performance.now()
  readonly #over = new AbortController()
  readonly #silence: SilenceWatch
  readonly #tools: ToldTools
  #masker = new SecretMasker([])
  #call: OpenedCall | null = null
  /** What templates see; grows with what the service answers. */
  #scope: JsonObject = {}
  /** The service is at work on it, as far as we know. */
  #working = false
  #spent: AttemptSpending | undefined

  constructor(options: HttpSessionOptions, assignment: Assignment, context: SessionContext) {
    this.#options = options
    this.#assignment = assignment
    this.#context = context
    this.#tools = new ToldTools(context.tools)
    const { silenceMs } = options.rules
    this.#silence = new SilenceWatch(silenceMs, () => {
      this.#over.abort(sessionErrors['agent-silent'](`it said nothing for ${(silenceMs ?? 0) / 1_000} s`))
    })
  }

  async send(task: ResolvedAgent): Promise<AgentAnswer> {
    const { settings } = this.#options
    const isLong = settings.callback !== null || settings.poll !== null
    if (isLong) await this.#open(task)
    this.#scope = this.#taskScope(task, await this.#callbackUrl())
    const call = this.#call
    if (call?.accepted != null) {
      await this.#context.note(`goes on with the work that ${call.id} has begun`)
      this.#accept(call.accepted.answer)
      return this.#follow()
    }
    const answer = await this.#ask()
    if (!isOk(settings, answer.status)) return failed(failureOf(answer.status, this.#messageOf(answer)))
    const goesOn = answer.status === 202 || (settings.poll !== null && !this.#isDone(answer))
    if (!goesOn || (call === null && settings.success !== null)) return this.#finish(answer)
    if (call === null)
      return failed(sessionErrors['agent-protocol']('it answered 202, but its pool has neither `callback` nor `poll`'))
    await call.keepAccepted(shown(answer))
    this.#accept(shown(answer))
    return this.#follow()
  }

  async cancel(): Promise<void> {
    if (!this.#isLeft) await this.#tellToStop()
  }

  usage(): AttemptSpending | undefined {
    return this.#spent
  }

  async stop(): Promise<SessionEnd> {
    this.#silence.stop()
    this.#over.abort('the attempt is over')
    if (!this.#isLeft) {
      // Where it failed for us, the service may still be at work.
      await this.#tellToStop()
      const reason = this.#context.ending ?? 'over'
      const why = { cancelled: 'was cancelled', timeout: 'took too long', revoked: 'was lost', stopped: 'was stopped' }
      await this.#call?.close(`the attempt ${reason === 'over' ? 'is over' : why[reason]}`)
    }
    const wallSeconds = (performance.now() - this.#startedAt) / 1_000
    return { usage: { cpuSeconds: null, maxRssBytes: null, wallSeconds }, survivors: 0, error: null }
  }

  /** The service goes on, and the next attempt takes its work over. */
  get #isLeft(): boolean {
    const { ending } = this.#context
    const goes = ending === 'revoked' || ending === 'stopped'
    return goes && this.#working && this.#options.settings.resume
  }

  async #open(task: ResolvedAgent): Promise<void> {
    const { calls, pool, settings } = this.#options
    const forMs = Math.min(task.timeoutMs ?? longestMs, longestMs)
    this.#call = await calls.open(this.#assignment, { pool, resume: settings.resume, forMs })
  }

  async #callbackUrl(): Promise<string | null> {
    const { callback } = this.#options.settings
    if (callback === null || this.#call === null) return null
    const base = callback === '' ? await this.#options.serverUrl(this.#context.signal) : callback
    if (base === null)
      throw sessionErrors['agent-unreachable'](
        'nobody knows where its service reaches this server: say `callback: URL`',
      )
    return `${base}/api/v1/service-callbacks/${this.#call.token}`
  }

  #taskScope(task: ResolvedAgent, url: string | null): JsonObject {
    const { tenant, runId, taskId, step, item, attempt } = this.#assignment
    return {
      task: {
        ...{ id: taskId, tenant, runId, step, item, attempt, prompt: task.prompt, depth: task.depth },
        key: this.#key,
      },
      config: { ...this.#context.config },
      callback: url === null ? null : { url },
    }
  }

  /** The same for all requests of an attempt, and of those that take its work over. */
  get #key(): string {
    return this.#call?.id ?? `${this.#assignment.taskId}.${this.#assignment.fence}`
  }

  /** The request that hands the task over, sent again where that may help. */
  async #ask(): Promise<HttpAnswer> {
    const { settings, language } = this.#options
    const { retry } = settings
    const { task, config, callback } = this.#scope as { task: JsonObject; config: JsonObject; callback: JsonValue }
    const usual = { ...task, config, ...(callback === null ? {} : { callback }) }
    const body = settings.body === null ? usual : language.fill(settings.body as JsonValue, this.#scope)
    const call = { method: settings.method, url: new URL(settings.url), headers: {}, body: JSON.stringify(body) }
    for (let tries = 1; ; tries++) {
      const result = await this.#request(call).catch((error: unknown) => {
        if (isAppError(error, 'agent-unreachable') && tries < retry.attempts) return error
        throw error
      })
      const isFailure = isAppError(result)
      if (!isFailure && (isOk(settings, result.status) || !retry.statuses.includes(result.status))) return result
      const wait = (isFailure ? null : result.retryAfterMs) ?? retry.waitMs * 2 ** (tries - 1)
      if (!isFailure && (tries >= retry.attempts || wait > retry.longestMs)) return result
      const why = isFailure ? result.message : `status ${result.status}`
      await this.#context.note(`sends it again in ${Math.ceil(wait / 1_000)} s: ${this.#masker.text(why)}`)
      await this.#silence.waitFor(pause(Math.min(wait, retry.longestMs), this.#signal))
    }
  }

  async #request(call: HttpCall, signal = this.#signal, timeoutMs = this.#options.settings.requestMs) {
    const { guard, settings } = this.#options
    const headers = { ...(await this.#ownHeaders(signal)), 'idempotency-key': this.#key, ...call.headers }
    const options = { guard, timeoutMs, largestBytes: settings.largestBytes, signal }
    try {
      const answer = await sendRequest({ ...call, headers }, options)
      this.#heard()
      return answer
    } catch (error) {
      throw this.#masked(error)
    }
  }

  /** Read anew for each request: secrets are rotated while work goes on. */
  async #ownHeaders(signal: AbortSignal): Promise<Record<string, string>> {
    const { settings, readSecret, language } = this.#options
    const secrets: Record<string, string> = {}
    for (const name of settings.secrets) secrets[name] = await readSecret(name, signal)
    const values = Object.values(secrets)
    this.#masker = new SecretMasker([
      ...values,
      ...values.map((value) => Buffer.from(value).toString('base64')),
      ...(this.#call === null ? [] : [this.#call.token]),
    ])
    const scope = { ...this.#scope, secrets }
    const filled = Object.entries(settings.headers).map(([name, value]) => [
      name.toLowerCase(),
      String(language.fill(value, scope)).replaceAll(/[\r\n\0]+/g, ' '),
    ])
    return { ...Object.fromEntries(filled), ...authOf(settings.auth, secrets) }
  }

  #accept(answer: JsonValue): void {
    this.#working = true
    this.#scope = { ...this.#scope, answer }
  }

  /** Until it says that it is done, by whichever way it says so first. */
  async #follow(): Promise<AgentAnswer> {
    const { callback, poll } = this.#options.settings
    const ways = [...(callback === null ? [] : [this.#listen()]), ...(poll === null ? [] : [this.#poll()])]
    for (const way of ways) way.catch(() => {})
    const end = await Promise.race(ways)
    this.#working = false
    return end
  }

  async #listen(): Promise<AgentAnswer> {
    for (;;) {
      for (const message of await this.#call!.next(this.#signal)) {
        this.#heard()
        const end = await this.#take(message)
        if (end !== null) return end
      }
    }
  }

  async #take({ seq, body, answer }: StoredMessage): Promise<AgentAnswer | null> {
    const context = this.#context
    switch (body.type) {
      case 'progress':
        context.progress(body.note === undefined ? undefined : this.#masker.text(body.note))
        if (body.note !== undefined) await context.note(this.#masker.text(body.note))
        return null
      case 'words':
        await context.say(this.#masker.text(body.text))
        return null
      case 'tool': {
        const { tool, title = tool } = body
        this.#tools.take({ ...body, tool: this.#masker.text(tool), title: this.#masker.text(title) })
        return null
      }
      case 'usage':
        this.#spent = { ...this.#spent, ...readSpent(body) }
        return null
      case 'question':
        // It may tell more while people think; what they have said before need not be asked again.
        if (answer === null) void this.#question(seq, body)
        return null
      case 'result':
        if (body.usage !== undefined) this.#spent = { ...this.#spent, ...readSpent(body.usage) }
        if (body.output !== undefined) await this.#say(body.output)
        return done
      case 'failure': {
        const error = attemptErrorOf(sessionErrors['agent-failed'](this.#masker.text(body.message)))
        return { outcome: 'failed', error: { ...error, retry: body.retry ?? 'later' } }
      }
    }
  }

  async #question(seq: number, question: Extract<ServiceMessage, { type: 'question' }>): Promise<void> {
    const { id, message, choices = [], freeText, defaultChoice, confidence, risk } = question
    try {
      const answer = await this.#silence.waitFor(
        this.#context.ask({
          ...{ key: `ask/${id}`, kind: 'question', message, choices, details: {} },
          ...{ freeText: freeText ?? choices.length === 0, defaultChoice: defaultChoice ?? null },
          deadlineMs: this.#options.rules.askMs,
          ...(confidence === undefined ? {} : { confidence }),
          ...(risk === undefined ? {} : { risk }),
        }),
      )
      const { choice, text, by, expired } = answer
      await this.#call!.answer(seq, { choice, text, by, expired })
    } catch (error) {
      // Nobody waits for the answer where the attempt is over.
      if (!this.#signal.aborted) this.#over.abort(error)
    }
  }

  async #poll(): Promise<AgentAnswer> {
    const { settings, language } = this.#options
    const poll = settings.poll!
    let misses = 0
    let wait = poll.everyMs
    for (;;) {
      await pause(wait, this.#signal)
      const answer = await this.#request(this.#further(poll.url, 'GET', null)).catch(
        (error: unknown) => error as AppError,
      )
      const isMiss = isAppError(answer) || settings.retry.statuses.includes(answer.status)
      if (isMiss) {
        misses += 1
        if (misses >= settings.retry.attempts + 2)
          return failed(isAppError(answer) ? answer : failureOf(answer.status, this.#messageOf(answer)))
        wait = (isAppError(answer) ? null : answer.retryAfterMs) ?? poll.everyMs * 2 ** misses
        wait = Math.min(wait, settings.retry.longestMs)
        continue
      }
      misses = 0
      wait = Math.min(answer.retryAfterMs ?? poll.everyMs, settings.retry.longestMs)
      if (!isOk(settings, answer.status)) return failed(failureOf(answer.status, this.#messageOf(answer)))
      const scope = { ...this.#scope, status: shown(answer) }
      if (poll.failed !== null && language.condition(poll.failed, scope))
        return failed(sessionErrors['agent-failed'](this.#messageOf(answer) || 'it says that it has failed'))
      if (language.condition(poll.done, scope)) return this.#finish(answer)
      const note = poll.note === null ? undefined : pick(language, poll.note, answer.body, scope)
      this.#context.progress(typeof note === 'string' ? this.#masker.text(note).slice(0, 500) : undefined)
    }
  }

  /** A request about work that goes on; its address is on the server that has taken the work. */
  #further(template: string, method: string, body: JsonValue | null): HttpCall {
    const { settings, language } = this.#options
    const base = new URL(settings.url)
    const answer = this.#scope.answer as { readonly body: JsonValue } | undefined
    const isPointer = template.startsWith('/') && atAnswer(template, answer?.body)
    const told = isPointer ? pick(language, template, answer!.body, this.#scope) : undefined
    const url =
      typeof told === 'string' && URL.canParse(told, base.href)
        ? new URL(told, base)
        : fillUrl(language, template, base, this.#scope)
    if (url === null) throw httpAgentErrors['agent-expression'](`${template} is no address`)
    const named = template.startsWith('http') && URL.canParse(template.replaceAll(/\$\{\{.*?\}\}/gs, 'x'))
    const home = named ? new URL(template.replaceAll(/\$\{\{.*?\}\}/gs, 'x')).origin : base.origin
    // What knows our secrets is not sent where an answer says.
    if (url.origin !== home)
      throw httpAgentErrors['agent-address-refused'](`${url.origin} is not the server of its pool`)
    return { method, url, headers: {}, body: body === null ? null : JSON.stringify(language.fill(body, this.#scope)) }
  }

  #isDone(answer: HttpAnswer): boolean {
    const { settings, language } = this.#options
    return language.condition(settings.poll!.done, { ...this.#scope, answer: shown(answer), status: shown(answer) })
  }

  async #finish(answer: HttpAnswer): Promise<AgentAnswer> {
    const { settings, language } = this.#options
    const scope = {
      ...this.#scope,
      status: shown(answer),
      ...('answer' in this.#scope ? {} : { answer: shown(answer) }),
    }
    const at = (place: string) => pick(language, place, answer.body, scope)
    const spent = Object.entries(settings.usage).map(([name, place]) => [name, at(place)])
    if (spent.length > 0) this.#spent = { ...this.#spent, ...readSpent(Object.fromEntries(spent)) }
    if (settings.success !== null && !language.condition(settings.success, scope))
      return failed(sessionErrors['agent-failed'](this.#messageOf(answer) || 'its answer is no success'))
    const output = at(settings.output)
    if (output === undefined) return failed(sessionErrors['agent-protocol'](`its answer has no ${settings.output}`))
    await this.#say(output)
    return done
  }

  async #say(output: JsonValue): Promise<void> {
    await this.#context.say(this.#masker.text(typeof output === 'string' ? output : JSON.stringify(output)))
  }

  #messageOf(answer: HttpAnswer): string {
    const { settings, language } = this.#options
    const scope = { ...this.#scope, status: shown(answer), answer: shown(answer) }
    const told = settings.message === null ? undefined : pick(language, settings.message, answer.body, scope)
    const text = told ?? answer.body
    return this.#masker.text(typeof text === 'string' ? text : JSON.stringify(text)).slice(0, 1_000)
  }

  /** Once; that it cannot be told changes nothing. */
  async #tellToStop(): Promise<void> {
    const { cancel } = this.#options.settings
    if (!this.#working || cancel === null) return
    this.#working = false
    const signal = AbortSignal.timeout(cancelMs)
    try {
      const answer = await this.#request(
        this.#further(cancel.url, cancel.method, cancel.body as JsonValue),
        signal,
        cancelMs,
      )
      await this.#context.note(`told its service to stop: status ${answer.status}`)
    } catch (error) {
      const why = isAppError(error) ? error.message : 'no answer'
      await this.#context.note(`its service could not be told to stop: ${why}`)
    }
  }

  #heard(): void {
    this.#silence.heard()
    this.#context.progress()
  }

  #masked(error: unknown): unknown {
    if (!isAppError(error)) return error
    error.message = this.#masker.text(error.message)
    return error
  }

  get #signal(): AbortSignal {
    return AbortSignal.any([this.#context.signal, this.#over.signal])
  }
}

function shown({ status, headers, body }: HttpAnswer): JsonObject {
  return { status, headers: { ...headers }, body }
}

function atAnswer(pointer: string, body: JsonValue | undefined): boolean {
  if (typeof body !== 'object' || body === null) return false
  return Object.hasOwn(body, pointer.split('/')[1] ?? '')
}

function authOf(
  auth: HttpSessionOptions['settings']['auth'],
  secrets: Readonly<Record<string, string>>,
): Record<string, string> {
  if (auth === null) return {}
  if ('bearer' in auth) return { authorization: `Bearer ${secrets[auth.bearer]}` }
  if ('basic' in auth) return { authorization: `Basic ${Buffer.from(secrets[auth.basic]!).toString('base64')}` }
  return { [auth.header.toLowerCase()]: secrets[auth.secret]! }
}

function failed(error: AppError): AgentAnswer {
  return { outcome: 'failed', error: attemptErrorOf(error) as AttemptError }
}
