import { type Fields, fieldsOf, listOf, parseFields, textOf } from '../wire/fields.ts'
import { anthropicUsage } from '../wire/messages.ts'
import { openaiUsage } from '../wire/openai-usage.ts'
import type { ModelUsage } from '../wire/wire.ts'

/** Why an answer of OpenAI ended, as Anthropic says it. */
export function stopReasonOf(finish: unknown, calledTools: boolean): string {
  switch (finish) {
    case 'length':
      return 'max_tokens'
    case 'tool_calls':
    case 'function_call':
      return 'tool_use'
    case 'content_filter':
      return 'refusal'
    default:
      return calledTools ? 'tool_use' : 'end_turn'
  }
}

/** Why an answer of Anthropic ended, as OpenAI says it. */
export function finishReasonOf(stop: unknown): string {
  switch (stop) {
    case 'max_tokens':
    case 'model_context_window_exceeded':
      return 'length'
    case 'tool_use':
      return 'tool_calls'
    case 'refusal':
      return 'content_filter'
    default:
      return 'stop'
  }
}

export function usageForChat(usage: ModelUsage | null): Fields | null {
  if (usage === null) return null
  const prompt = usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens
  return {
    ...{ prompt_tokens: prompt, completion_tokens: usage.outputTokens, total_tokens: prompt + usage.outputTokens },
    prompt_tokens_details: { cached_tokens: usage.cacheReadTokens },
  }
}

export function usageForMessages(usage: ModelUsage | null): Fields {
  return {
    input_tokens: usage?.inputTokens ?? 0,
    output_tokens: usage?.outputTokens ?? 0,
    cache_read_input_tokens: usage?.cacheReadTokens ?? 0,
    cache_creation_input_tokens: usage?.cacheWriteTokens ?? 0,
  }
}

/** An answer of Anthropic as a chat completion. `seconds`: now, since 1970. */
export function answerForChat(answer: Fields, seconds: number): Fields {
  const blocks = listOf(answer.content).map(fieldsOf)
  const texts = blocks.filter(({ type }) => type === 'text').map(({ text }) => textOf(text) ?? '')
  const calls = blocks
    .filter(({ type }) => type === 'tool_use')
    .map(({ id, name, input }) => ({
      ...{ id, type: 'function' },
      function: { name, arguments: JSON.stringify(input ?? {}) },
    }))
  const message = {
    ...{ role: 'assistant', content: texts.length === 0 ? null : texts.join(''), refusal: null },
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  }
  const usage = usageForChat(anthropicUsage(answer.usage))
  return {
    ...{ id: `chatcmpl-${String(answer.id)}`, object: 'chat.completion', created: seconds, model: answer.model },
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReasonOf(answer.stop_reason) }],
    ...(usage === null ? {} : { usage }),
  }
}

/** A chat completion as an answer of Anthropic. */
export function answerForMessages(answer: Fields): Fields {
  const choice = fieldsOf(listOf(answer.choices)[0])
  const message = fieldsOf(choice.message)
  const text = textOf(message.content) ?? textOf(message.refusal) ?? ''
  const calls = listOf(message.tool_calls).map((item) => {
    const call = fieldsOf(item)
    const { name, arguments: given } = fieldsOf(call.function)
    return { type: 'tool_use', id: call.id, name, input: parseFields(textOf(given) ?? '') ?? {} }
  })
  return {
    ...{ id: `msg_${String(answer.id)}`, type: 'message', role: 'assistant', model: answer.model },
    content: [...(text === '' ? [] : [{ type: 'text', text }]), ...calls],
    ...{ stop_reason: stopReasonOf(choice.finish_reason, calls.length > 0), stop_sequence: null },
    usage: usageForMessages(openaiUsage(answer.usage)),
  }
}

/** The words of a provider's refusal, whatever its dialect. */
export function refusalText(text: string): string {
  const body = parseFields(text)
  const error = body?.error
  const said = typeof error === 'string' ? error : (textOf(fieldsOf(error).message) ?? textOf(body?.message))
  return said ?? 'the provider refuses the call without a word'
}
