import type { ModelPrice } from '../../foundation/kernel/model-price.ts'
import type { ModelsConfig } from '../../foundation/platform/config/models.ts'
import type { Target } from './catalog.ts'
import { modelErrors } from './models-errors.ts'
import { chatToMessages } from './translate/chat-to-messages.ts'
import { messagesToChat } from './translate/messages-to-chat.ts'
import { askForUsage } from './wire/chat.ts'
import { countOf, type Fields, fieldsOf } from './wire/fields.ts'
import type { Wire, WireName } from './wire/wire.ts'
import { wires } from './wire/wires.ts'
import {
  type Bound,
  boundInput,
  contextOf,
  dearest,
  unpricedFeature,
  type WorstPrice,
  writesLongCache,
} from './worst-case.ts'

/** A call as it would leave for one target, but for its output limit. */
export interface Outgoing {
  readonly target: Target
  readonly wire: Wire
  readonly body: Fields
  /** The same as JSON. */
  readonly text: string
  /** The provider's count is in the stream only because we asked. */
  readonly hideUsage: boolean
  readonly bound: Bound
  /** Less output than this is not worth a call. */
  readonly leastOutput: number
  /** The limit that the caller names; null: none. */
  readonly namedOutput: number | null
  readonly price: WorstPrice | null
  /** Why nobody knows what it costs at most; null: it is known. */
  readonly unpriced: string | null
}

export interface PreparedFrom {
  readonly asked: Fields
  readonly wire: WireName
  readonly headers: Fields
  readonly config: ModelsConfig
  /** The prices of a model that may apply while the call lasts. */
  readonly pricesOf: (model: string) => readonly ModelPrice[]
}

const mostChoices = 128
/** With less room than this a call waits rather than being cut short. */
const worthwhileOutput = 256

/** Errors: `model-dialect-unsupported`, `model-request-invalid`. */
export function prepare(from: PreparedFrom, target: Target): Outgoing {
  const { config } = from
  const wire = wires[target.wire]
  const { body, hideUsage } = bodyFor(from, target)
  const namedOutput = wire.outputOf(body)
  const choices = wire.choicesOf(body)
  if (choices > mostChoices) throw modelErrors['model-request-invalid'](`n is ${choices}, and ${mostChoices} at most`)
  const text = JSON.stringify(body)
  const inputTokens = boundInput(text, body, contextOf(target.model, config.contexts))
  const outputTokens = namedOutput ?? config.outputTokens
  const prices = from.pricesOf(target.model)
  const feature = unpricedFeature(text, body, from.headers)
  const unpriced = feature ?? (prices.length === 0 ? `the model ${target.model} has no price` : null)
  return {
    ...{ target, wire, body, text, hideUsage, namedOutput, unpriced },
    bound: { inputTokens, outputTokens, choices },
    leastOutput: Math.min(outputTokens, Math.max(wire.leastOutput(body), Math.min(outputTokens, worthwhileOutput))),
    price: unpriced === null ? dearest(prices, writesLongCache(text)) : null,
  }
}

function bodyFor(
  { asked, wire, config }: PreparedFrom,
  target: Target,
): { readonly body: Fields; readonly hideUsage: boolean } {
  const { account, model } = target
  const same = target.wire === wire
  const named = { ...asked, model }
  if (target.wire === 'chat') {
    const body = same ? named : messagesToChat(named, account.outputField)
    const { body: counted, hide } = askForUsage(body)
    return { body: counted, hideUsage: hide && same }
  }
  return { body: same ? named : chatToMessages(named, config.outputTokens), hideUsage: false }
}

/** The model that a request names, once it is known to be one. Errors: `model-request-invalid`. */
export function modelOf(body: Fields): string {
  const { model } = body
  if (typeof model !== 'string' || model === '' || model.length > 200)
    throw modelErrors['model-request-invalid']('`model` must be the name of a model')
  // What it takes would never be told: the answer comes before the work.
  if (body.background === true) throw modelErrors['model-request-invalid']('`background` is not offered here')
  if (body.n !== undefined && body.n !== null && countOf(body.n) === null)
    throw modelErrors['model-request-invalid']('`n` must be a whole number')
  return model
}

/** Whether the caller asked for the count in its stream itself. */
export function asksForUsage(asked: Fields): boolean {
  return fieldsOf(asked.stream_options).include_usage === true
}
