import { type Fields, fieldsOf, listOf, parseFields, textOf } from '../wire/fields.ts'
import { anthropicUsage } from '../wire/messages.ts'
import { openaiUsage } from '../wire/openai-usage.ts'
import type { ModelUsage } from '../wire/wire.ts'
import { finishReasonOf, refusalText, stopReasonOf, usageForChat, usageForMessages } from './answers.ts'

/** Turns the events of one dialect into those of another. */
export interface StreamTranslation {
  /** Events, each with the blank line that ends it, for the data of one event. */
  next(data: string): string
}

/** The provider has broken off in the middle of a stream, and says why. */
export class StreamRefused extends Error {}

/** A stream of Anthropic as chunks of a chat completion. */
export function streamForChat(options: { readonly usage: boolean; readonly seconds: number }): StreamTranslation {
  let id = ''
  let model: unknown = ''
  let before: Fields = {}
  let usage: ModelUsage | null = null
  let calls = -1
  const chunk = (choices: readonly object[], more: object = {}) => {
    const head = { id, object: 'chat.completion.chunk', created: options.seconds, model }
    return `data: ${JSON.stringify({ ...head, choices, ...more })}\n\n`
  }
  const delta = (fields: object, finish: string | null = null) =>
    chunk([{ index: 0, delta: fields, logprobs: null, finish_reason: finish }])
  return {
    next(data) {
      const event = parseFields(data)
      switch (event?.type) {
        case 'message_start': {
          const message = fieldsOf(event.message)
          id = `chatcmpl-${String(message.id)}`
          model = message.model
          before = fieldsOf(message.usage)
          return delta({ role: 'assistant', content: '' })
        }
        case 'content_block_start': {
          const block = fieldsOf(event.content_block)
          if (block.type !== 'tool_use') return ''
          calls += 1
          const named = { name: block.name, arguments: '' }
          return delta({ tool_calls: [{ index: calls, id: block.id, type: 'function', function: named }] })
        }
        case 'content_block_delta': {
          const piece = fieldsOf(event.delta)
          if (piece.type === 'text_delta') return delta({ content: piece.text })
          if (piece.type !== 'input_json_delta') return ''
          return delta({ tool_calls: [{ index: calls, function: { arguments: piece.partial_json } }] })
        }
        case 'message_delta': {
          usage = anthropicUsage(event.usage, before)
          const stop = fieldsOf(event.delta).stop_reason
          return stop === undefined || stop === null ? '' : delta({}, finishReasonOf(stop))
        }
        case 'message_stop':
          return `${options.usage ? chunk([], { usage: usageForChat(usage) }) : ''}data: [DONE]\n\n`
        case 'error':
          throw new StreamRefused(refusalText(data))
        default:
          return ''
      }
    },
  }
}

/** Chunks of a chat completion as a stream of Anthropic. */
export function streamForMessages(): StreamTranslation {
  let started = false
  let open: { readonly index: number; readonly call: number | null } | null = null
  let blocks = 0
  let calls = 0
  let finish: unknown = null
  let usage: ModelUsage | null = null
  const event = (type: string, fields: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
  const close = () => {
    if (open === null) return ''
    const { index } = open
    open = null
    return event('content_block_stop', { index })
  }
  const begin = (block: object, call: number | null) => {
    const closed = close()
    open = { index: blocks++, call }
    return closed + event('content_block_start', { index: open.index, content_block: block })
  }
  const start = (chunk: Fields) => {
    started = true
    const message = {
      ...{ id: `msg_${String(chunk.id)}`, type: 'message', role: 'assistant', model: chunk.model, content: [] },
      ...{ stop_reason: null, stop_sequence: null, usage: usageForMessages(null) },
    }
    return event('message_start', { message })
  }
  const text = (piece: string) =>
    (open === null || open.call !== null ? begin({ type: 'text', text: '' }, null) : '') +
    event('content_block_delta', { index: open!.index, delta: { type: 'text_delta', text: piece } })
  const call = (item: unknown) => {
    const piece = fieldsOf(item)
    const { name, arguments: given } = fieldsOf(piece.function)
    const place = typeof piece.index === 'number' ? piece.index : calls
    let out = ''
    if (open?.call !== place) {
      if (typeof piece.id !== 'string')
        throw new StreamRefused('the calls of tools come in an order that cannot be translated')
      calls += 1
      out += begin({ type: 'tool_use', id: piece.id, name, input: {} }, place)
    }
    const json = textOf(given) ?? ''
    return json === ''
      ? out
      : out +
          event('content_block_delta', { index: open!.index, delta: { type: 'input_json_delta', partial_json: json } })
  }
  return {
    next(data) {
      if (data === '[DONE]') {
        const delta = { stop_reason: stopReasonOf(finish, calls > 0), stop_sequence: null }
        const last = event('message_delta', { delta, usage: usageForMessages(usage) })
        return close() + last + event('message_stop', {})
      }
      const chunk = parseFields(data)
      if (chunk === null) return ''
      if (chunk.error !== undefined) throw new StreamRefused(refusalText(data))
      usage = openaiUsage(chunk.usage) ?? usage
      let out = started ? '' : start(chunk)
      const choice = fieldsOf(listOf(chunk.choices)[0])
      const delta = fieldsOf(choice.delta)
      const said = textOf(delta.content) ?? textOf(delta.refusal) ?? ''
      if (said !== '') out += text(said)
      for (const item of listOf(delta.tool_calls)) out += call(item)
      if (typeof choice.finish_reason === 'string') finish = choice.finish_reason
      return out
    },
  }
}
