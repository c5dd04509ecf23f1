import type { AppError } from '../../../foundation/kernel/errors.ts'
import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import type { AttemptSpending } from '../../runners/exchange-contract.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import type { HttpDriverOptions } from './http-driver.ts'
import { shown } from './http-exchange.ts'
import { pick } from './http-language.ts'
import type { HttpAnswer } from './send-request.ts'
import { readSpent } from './service-spending.ts'

/** What answers of a service mean, by the settings of its pool. `scope`: what templates see. */
export class HttpResults {
  readonly #settings: HttpDriverOptions['settings']
  readonly #language: HttpDriverOptions['language']
  readonly #mask: (text: string) => string

  constructor(
    settings: HttpDriverOptions['settings'],
    language: HttpDriverOptions['language'],
    mask: (text: string) => string,
  ) {
    this.#settings = settings
    this.#language = language
    this.#mask = mask
  }

  /** Whether its first answer is its last. */
  isDone(answer: HttpAnswer, scope: JsonObject): boolean {
    return this.#language.condition(this.#settings.poll!.done, {
      ...scope,
      answer: shown(answer),
      status: shown(answer),
    })
  }

  /** What it puts out, or why that is no success; `spent`: null where it does not tell. */
  resultOf(
    answer: HttpAnswer,
    known: JsonObject,
  ): { readonly spent: AttemptSpending | null; readonly output: JsonValue | AppError } {
    const settings = this.#settings
    const scope = { ...known, status: shown(answer), ...('answer' in known ? {} : { answer: shown(answer) }) }
    const at = (place: string) => pick(this.#language, place, answer.body, scope)
    const told = Object.entries(settings.usage).map(([name, place]) => [name, at(place)])
    const spent = told.length > 0 ? readSpent(Object.fromEntries(told)) : null
    if (settings.success !== null && !this.#language.condition(settings.success, scope)) {
      const why = this.messageOf(answer, known) || 'its answer is no success'
      return { spent, output: sessionErrors['agent-failed'](why) }
    }
    const output = at(settings.output)
    // An answer may be null.
    if (output !== undefined) return { spent, output }
    return { spent, output: sessionErrors['agent-protocol'](`its answer has no ${settings.output}`) }
  }

  /** For people: what it says of itself. */
  messageOf(answer: HttpAnswer, known: JsonObject): string {
    const { message } = this.#settings
    const scope = { ...known, status: shown(answer), answer: shown(answer) }
    const told = message === null ? undefined : pick(this.#language, message, answer.body, scope)
    const text = told ?? answer.body
    return this.#mask(typeof text === 'string' ? text : JSON.stringify(text)).slice(0, 1_000)
  }
}
