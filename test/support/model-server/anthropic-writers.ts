import type { Composed } from './script.ts'
import { named, type WireWriter } from './wire-writer.ts'

const errorTypes: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
}

function failure(status: number, message: string): object {
  return { type: 'error', error: { type: errorTypes[status] ?? 'api_error', message }, request_id: 'req_scripted' }
}

const stopOf = ({ short, tools }: Composed) => (short ? 'max_tokens' : tools.length > 0 ? 'tool_use' : 'end_turn')

function inputUsage({ usage }: Composed) {
  if (usage === null) return {}
  return {
    ...{ input_tokens: usage.input, cache_read_input_tokens: usage.cacheRead },
    cache_creation_input_tokens: usage.cacheWrite,
    cache_creation: {
      ephemeral_5m_input_tokens: usage.cacheWrite - usage.longCacheWrite,
      ephemeral_1h_input_tokens: usage.longCacheWrite,
    },
    service_tier: 'standard',
  }
}

function blocksOf({ words, tools }: Composed): object[] {
  const text = words.join('')
  const calls = tools.map(({ id, name, input }) => ({ type: 'tool_use', id, name, input }))
  return [...(text === '' ? [] : [{ type: 'text', text }]), ...calls]
}

/** Anthropic's messages. */
export const messagesWriter: WireWriter = {
  whole(request, answer) {
    const { usage } = answer
    return {
      ...{ id: `msg_${request.n}`, type: 'message', role: 'assistant', model: request.model },
      ...{ content: blocksOf(answer), stop_reason: stopOf(answer), stop_sequence: null },
      ...(usage === null ? {} : { usage: { ...inputUsage(answer), output_tokens: usage.output } }),
    }
  },
  pieces(request, answer) {
    const { words, tools, usage } = answer
    const message = {
      ...{ id: `msg_${request.n}`, type: 'message', role: 'assistant', model: request.model, content: [] },
      ...{ stop_reason: null, stop_sequence: null },
      ...(usage === null ? {} : { usage: { ...inputUsage(answer), output_tokens: 1 } }),
    }
    const pieces = [named('message_start', { message }) + named('ping', {})]
    if (words.length > 0) {
      pieces[0] += named('content_block_start', { index: 0, content_block: { type: 'text', text: '' } })
      for (const text of words)
        pieces.push(named('content_block_delta', { index: 0, delta: { type: 'text_delta', text } }))
      pieces.push(named('content_block_stop', { index: 0 }))
    }
    tools.forEach(({ id, name, input }, n) => {
      const index = (words.length > 0 ? 1 : 0) + n
      const json = JSON.stringify(input)
      const middle = Math.ceil(json.length / 2)
      const part = (partial_json: string) =>
        named('content_block_delta', { index, delta: { type: 'input_json_delta', partial_json } })
      pieces.push(
        named('content_block_start', { index, content_block: { type: 'tool_use', id, name, input: {} } }) +
          part(json.slice(0, middle)) +
          part(json.slice(middle)) +
          named('content_block_stop', { index }),
      )
    })
    const counted = usage === null ? {} : { usage: { output_tokens: usage.output } }
    const delta = { stop_reason: stopOf(answer), stop_sequence: null }
    return [...pieces, named('message_delta', { delta, ...counted }) + named('message_stop', {})]
  },
  failure,
  failureEvent: (message) => named('error', { error: { type: 'overloaded_error', message } }),
}

/** Anthropic's count of the tokens of a message. */
export const countWriter: WireWriter = {
  whole: (_request, { usage }) => ({ input_tokens: usage?.input ?? 0 }),
  pieces: () => [],
  failure,
  failureEvent: () => '',
}
