import { isAppError } from '../../../foundation/kernel/errors.ts'
import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import type { AddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import { SecretMasker } from '../../../foundation/platform/secrets/index.ts'
import type { HttpDriverOptions } from './http-driver.ts'
import { httpAgentErrors } from './http-errors.ts'
import { fillUrl, pick } from './http-language.ts'
import { type HttpAnswer, type HttpCall, sendRequest } from './send-request.ts'
import { isOk } from './status-rules.ts'

export interface HttpExchangeOptions extends Pick<HttpDriverOptions, 'settings' | 'language' | 'readSecret'> {
  readonly guard: AddressGuard
  /** What its answers may not show besides the secrets of its headers. */
  readonly hidden: () => readonly string[]
  /** The same for all requests of an attempt, and of those that take its work over. */
  readonly key: () => string
  /** What templates see now. */
  readonly scope: () => JsonObject
  readonly signal: () => AbortSignal
  readonly onAnswer: () => void
  /** Why it will be sent again, and when; resolves when it is to be. */
  readonly waitToRetry: (waitMs: number, why: string) => Promise<void>
}

/** The requests of one attempt to its service: headers with secrets, what is sent again, and where it may go. */
export class HttpExchange {
  masker = new SecretMasker([])
  readonly #options: HttpExchangeOptions

  constructor(options: HttpExchangeOptions) {
    this.#options = options
  }

  /** The request that hands the task over, sent again where that may help. */
  async ask(): Promise<HttpAnswer> {
    const { settings, language } = this.#options
    const { retry } = settings
    const { task, config, callback } = this.#options.scope() as {
      task: JsonObject
      config: JsonObject
      callback: JsonValue
    }
    const usual = { ...task, config, ...(callback === null ? {} : { callback }) }
    const body = settings.body === null ? usual : language.fill(settings.body as JsonValue, this.#options.scope())
    const call = { method: settings.method, url: new URL(settings.url), headers: {}, body: JSON.stringify(body) }
    for (let tries = 1; ; tries++) {
      const result = await this.request(call).catch((error: unknown) => {
        if (isAppError(error, 'agent-unreachable') && tries < retry.attempts) return error
        throw error
      })
      const isFailure = isAppError(result)
      if (!isFailure && (isOk(settings, result.status) || !retry.statuses.includes(result.status))) return result
      const wait = (isFailure ? null : result.retryAfterMs) ?? retry.waitMs * 2 ** (tries - 1)
      if (!isFailure && (tries >= retry.attempts || wait > retry.longestMs)) return result
      const why = isFailure ? result.message : `status ${result.status}`
      await this.#options.waitToRetry(Math.min(wait, retry.longestMs), this.masker.text(why))
    }
  }

  async request(call: HttpCall, signal = this.#options.signal(), timeoutMs = this.#options.settings.requestMs) {
    const { guard, settings } = this.#options
    const headers = { ...(await this.#ownHeaders(signal)), 'idempotency-key': this.#options.key(), ...call.headers }
    const options = { guard, timeoutMs, largestBytes: settings.largestBytes, signal }
    try {
      const answer = await sendRequest({ ...call, headers }, options)
      this.#options.onAnswer()
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
    this.masker = new SecretMasker([
      ...values,
      ...values.map((value) => Buffer.from(value).toString('base64')),
      ...this.#options.hidden(),
    ])
    const scope = { ...this.#options.scope(), secrets }
    const filled = Object.entries(settings.headers).map(([name, value]) => [
      name.toLowerCase(),
      String(language.fill(value, scope)).replaceAll(/[\r\n\0]+/g, ' '),
    ])
    return { ...Object.fromEntries(filled), ...authOf(settings.auth, secrets) }
  }

  /** A request about work that goes on; its address is on the server that has taken the work. */
  further(template: string, method: string, body: JsonValue | null): HttpCall {
    const { settings, language } = this.#options
    const base = new URL(settings.url)
    const answer = this.#options.scope().answer as { readonly body: JsonValue } | undefined
    const isPointer = template.startsWith('/') && atAnswer(template, answer?.body)
    const told = isPointer ? pick(language, template, answer!.body, this.#options.scope()) : undefined
    const url =
      typeof told === 'string' && URL.canParse(told, base.href)
        ? new URL(told, base)
        : fillUrl(language, template, base, this.#options.scope())
    if (url === null) throw httpAgentErrors['agent-expression'](`${template} is no address`)
    const named = template.startsWith('http') && URL.canParse(template.replaceAll(/\$\{\{.*?\}\}/gs, 'x'))
    const home = named ? new URL(template.replaceAll(/\$\{\{.*?\}\}/gs, 'x')).origin : base.origin
    // What knows our secrets is not sent where an answer says.
    if (url.origin !== home)
      throw httpAgentErrors['agent-address-refused'](`${url.origin} is not the server of its pool`)
    return {
      method,
      url,
      headers: {},
      body: body === null ? null : JSON.stringify(language.fill(body, this.#options.scope())),
    }
  }

  #masked(error: unknown): unknown {
    if (!isAppError(error)) return error
    error.message = this.masker.text(error.message)
    return error
  }
}

/** An answer as templates see it. Pure. */
export function shown({ status, headers, body }: HttpAnswer): JsonObject {
  return { status, headers: { ...headers }, body }
}

function atAnswer(pointer: string, body: JsonValue | undefined): boolean {
  if (typeof body !== 'object' || body === null) return false
  return Object.hasOwn(body, pointer.split('/')[1] ?? '')
}

function authOf(
  auth: HttpDriverOptions['settings']['auth'],
  secrets: Readonly<Record<string, string>>,
): Record<string, string> {
  if (auth === null) return {}
  if ('bearer' in auth) return { authorization: `Bearer ${secrets[auth.bearer]}` }
  if ('basic' in auth) return { authorization: `Basic ${Buffer.from(secrets[auth.basic]!).toString('base64')}` }
  return { [auth.header.toLowerCase()]: secrets[auth.secret]! }
}
