import { countOf, type Fields, fieldsOf, parseFields } from './fields.ts'
import type { ModelUsage, StreamWatch, Wire } from './wire.ts'

/** Anthropic's messages. */
export const messages: Wire = {
  name: 'messages',
  path: '/v1/messages',
  outputOf: (body) => countOf(body.max_tokens),
  limitOutput: (body, tokens) => (body.max_tokens === tokens ? body : { ...body, max_tokens: tokens }),
  choicesOf: () => 1,
  // What is thought must fit into the limit, and something must be left to say.
  leastOutput: (body) => {
    const thought = countOf(fieldsOf(body.thinking).budget_tokens)
    return thought === null ? 1 : thought + 1
  },
  usageOf: (answer) => anthropicUsage(answer.usage),
  watch: watchMessages,
}

/** Anthropic's count of the input of a message. It costs nothing. */
export const count: Wire = {
  ...messages,
  name: 'count',
  path: '/v1/messages/count_tokens',
  outputOf: () => 0,
  limitOutput: (body) => body,
  leastOutput: () => 0,
  usageOf: () => ({
    ...{ inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, longCacheWriteTokens: 0 },
  }),
}

/** `before`: what an earlier event of the same stream said, where this one leaves it out. */
export function anthropicUsage(value: unknown, before: Fields = {}): ModelUsage | null {
  const usage: Fields = { ...before, ...withoutNull(fieldsOf(value)) }
  const input = countOf(usage.input_tokens)
  const output = countOf(usage.output_tokens)
  if (input === null || output === null) return null
  const written = countOf(usage.cache_creation_input_tokens) ?? 0
  const long = countOf(fieldsOf(usage.cache_creation).ephemeral_1h_input_tokens) ?? 0
  return {
    inputTokens: input,
    outputTokens: output,
    cacheReadTokens: countOf(usage.cache_read_input_tokens) ?? 0,
    cacheWriteTokens: Math.max(written, long),
    longCacheWriteTokens: long,
  }
}

function withoutNull(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
}

function watchMessages(): StreamWatch {
  let first: Fields = {}
  let usage: ModelUsage | null = null
  let complete = false
  return {
    see(data) {
      if (!/"type"\s*:\s*"message_(start|delta|stop)"/.test(data)) return false
      const event = parseFields(data)
      if (event?.type === 'message_start') first = withoutNull(fieldsOf(fieldsOf(event.message).usage))
      else if (event?.type === 'message_delta') {
        const told = anthropicUsage(event.usage, first)
        if (told !== null && countOf(fieldsOf(event.usage).output_tokens) !== null) usage = told
      } else if (event?.type === 'message_stop') complete = true
      return false
    },
    usage: () => usage,
    isComplete: () => complete,
  }
}
