import { countOf, type Fields, fieldsOf, listOf, parseFields } from './fields.ts'
import { openaiUsage } from './openai-usage.ts'
import type { ModelUsage, StreamWatch, Wire } from './wire.ts'

/** OpenAI's chat completions. */
export const chat: Wire = {
  name: 'chat',
  path: '/v1/chat/completions',
  outputOf(body) {
    const limits = [body.max_completion_tokens, body.max_tokens].map(countOf).filter((limit) => limit !== null)
    return limits.length === 0 ? null : Math.min(...limits)
  },
  limitOutput(body, tokens, field) {
    const others = ['max_completion_tokens', 'max_tokens'].filter((name) => name !== field && body[name] !== undefined)
    if (others.length === 0 && body[field] === tokens) return body
    const { max_completion_tokens: _new, max_tokens: _old, ...rest } = body
    return { ...rest, [field]: tokens }
  },
  choicesOf: (body) => Math.max(1, countOf(body.n) ?? 1),
  leastOutput: () => 1,
  usageOf: (answer) => openaiUsage(answer.usage),
  watch: (hideUsage) => watchChat(hideUsage),
}

/** Asks for the count at the end of a stream, which clients leave out more often than not. */
export function askForUsage(body: Fields): { readonly body: Fields; readonly hide: boolean } {
  if (body.stream !== true) return { body, hide: false }
  const options = fieldsOf(body.stream_options)
  return {
    body: { ...body, stream_options: { ...options, include_usage: true } },
    hide: options.include_usage !== true,
  }
}

function watchChat(hideUsage: boolean): StreamWatch {
  let usage: ModelUsage | null = null
  let finished = false
  let done = false
  return {
    see(data) {
      if (data === '[DONE]') {
        done = true
        return false
      }
      // Most events hold a word or two and nothing to count.
      const counts = /"usage"\s*:\s*\{/.test(data)
      if (!counts && !/"finish_reason"\s*:\s*"/.test(data)) return false
      const chunk = parseFields(data)
      if (chunk === null) return false
      const choices = listOf(chunk.choices)
      const told = openaiUsage(chunk.usage)
      if (told !== null) usage = told
      finished ||= choices.some((choice) => typeof fieldsOf(choice).finish_reason === 'string')
      if (told !== null && choices.length === 0) {
        done = true
        return hideUsage
      }
      return false
    },
    // A count in the middle is what it was until then.
    usage: () => (finished || done ? usage : null),
    isComplete: () => finished || done,
  }
}
