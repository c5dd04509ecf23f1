import { countOf, fieldsOf, parseFields } from './fields.ts'
import { openaiUsage } from './openai-usage.ts'
import type { ModelUsage, StreamWatch, Wire } from './wire.ts'

/** OpenAI's responses. */
export const responses: Wire = {
  name: 'responses',
  path: '/v1/responses',
  outputOf: (body) => countOf(body.max_output_tokens),
  limitOutput: (body, tokens) => (body.max_output_tokens === tokens ? body : { ...body, max_output_tokens: tokens }),
  choicesOf: () => 1,
  // OpenAI takes no less.
  leastOutput: () => 16,
  usageOf: (answer) => openaiUsage(answer.usage),
  watch: watchResponses,
}

function watchResponses(): StreamWatch {
  let usage: ModelUsage | null = null
  let complete = false
  return {
    see(data) {
      if (!/"type"\s*:\s*"response\.(completed|incomplete|failed)"/.test(data)) return false
      const event = parseFields(data)
      if (event === null || !/^response\.(completed|incomplete|failed)$/.test(String(event.type))) return false
      complete = true
      usage = openaiUsage(fieldsOf(event.response).usage)
      return false
    },
    usage: () => usage,
    isComplete: () => complete,
  }
}
