import { openaiUsage } from './openai-usage.ts'
import type { Wire } from './wire.ts'

/** OpenAI's embeddings: input alone, never streamed. */
export const embeddings: Wire = {
  name: 'embeddings',
  path: '/v1/embeddings',
  outputOf: () => 0,
  limitOutput: (body) => body,
  choicesOf: () => 1,
  leastOutput: () => 0,
  usageOf: (answer) => openaiUsage(answer.usage),
  watch: () => ({ see: () => false, usage: () => null, isComplete: () => true }),
}
