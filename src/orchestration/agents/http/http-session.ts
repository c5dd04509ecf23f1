import { type AppError, isAppError } from '../../../foundation/kernel/errors.ts'
import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import type { AddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import { attemptErrorOf } from '../../runners/attempt-errors-contract.ts'
import type { Assignment, AttemptError, AttemptSpending } from '../../runners/exchange-contract.ts'
import type { ResolvedAgent } from '../../workflows/task-contract.ts'
import type { AgentAnswer, AgentSession, SessionContext, SessionEnd } from '../sessions/agent-session.ts'
import { pause } from '../sessions/pause.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import { SilenceWatch } from '../sessions/silence-watch.ts'
import { ToldTools } from '../sessions/told-tools.ts'
import type { HttpDriverOptions } from './http-driver.ts'
import { HttpExchange, shown } from './http-exchange.ts'
import { pick } from './http-language.ts'
import { HttpResults } from './http-results.ts'
import type { HttpAnswer } from './send-request.ts'
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
  readonly #exchange: HttpExchange
  readonly #results: HttpResults
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
    const { settings, language, readSecret, guard } = options
    this.#results = new HttpResults(settings, language, (text) => this.#exchange.masker.text(text))
    this.#exchange = new HttpExchange({
      ...{ settings, language, readSecret, guard },
      hidden: () => (this.#call === null ? [] : [this.#call.token]),
      key: () => this.#key,
      scope: () => this.#scope,
      signal: () => this.#signal,
      onAnswer: () => this.#heard(),
      waitToRetry: async (waitMs, why) => {
        await context.note(`sends it again in ${Math.ceil(waitMs / 1_000)} s: ${why}`)
        await this.#silence.waitFor(pause(waitMs, this.#signal))
      },
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
    const answer = await this.#exchange.ask()
    if (!isOk(settings, answer.status)) return failed(failureOf(answer.status, this.#messageOf(answer)))
    const goesOn = answer.status === 202 || (settings.poll !== null && !this.#results.isDone(answer, this.#scope))
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
        context.progress(body.note === undefined ? undefined : this.#exchange.masker.text(body.note))
        if (body.note !== undefined) await context.note(this.#exchange.masker.text(body.note))
        return null
      case 'words':
        await context.say(this.#exchange.masker.text(body.text))
        return null
      case 'tool': {
        const { tool, title = tool } = body
        this.#tools.take({ ...body, tool: this.#exchange.masker.text(tool), title: this.#exchange.masker.text(title) })
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
        const error = attemptErrorOf(sessionErrors['agent-failed'](this.#exchange.masker.text(body.message)))
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
      const answer = await this.#exchange
        .request(this.#exchange.further(poll.url, 'GET', null))
        .catch((error: unknown) => error as AppError)
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
      this.#context.progress(typeof note === 'string' ? this.#exchange.masker.text(note).slice(0, 500) : undefined)
    }
  }

  async #finish(answer: HttpAnswer): Promise<AgentAnswer> {
    const { spent, output } = this.#results.resultOf(answer, this.#scope)
    if (spent !== null) this.#spent = { ...this.#spent, ...spent }
    if (isAppError(output)) return failed(output)
    await this.#say(output)
    return done
  }

  async #say(output: JsonValue): Promise<void> {
    await this.#context.say(this.#exchange.masker.text(typeof output === 'string' ? output : JSON.stringify(output)))
  }

  #messageOf(answer: HttpAnswer): string {
    return this.#results.messageOf(answer, this.#scope)
  }

  /** Once; that it cannot be told changes nothing. */
  async #tellToStop(): Promise<void> {
    const { cancel } = this.#options.settings
    if (!this.#working || cancel === null) return
    this.#working = false
    const signal = AbortSignal.timeout(cancelMs)
    try {
      const answer = await this.#exchange.request(
        this.#exchange.further(cancel.url, cancel.method, cancel.body as JsonValue),
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

  get #signal(): AbortSignal {
    return AbortSignal.any([this.#context.signal, this.#over.signal])
  }
}

function failed(error: AppError): AgentAnswer {
  return { outcome: 'failed', error: attemptErrorOf(error) as AttemptError }
}
