import { countOf, fieldsOf } from './fields.ts'
import type { ModelUsage } from './wire.ts'

/** The count of OpenAI's answers; `prompt_tokens` of chats and embeddings, `input_tokens` of responses. */
export function openaiUsage(value: unknown): ModelUsage | null {
  const usage = fieldsOf(value)
  const input = countOf(usage.prompt_tokens ?? usage.input_tokens)
  if (input === null) return null
  // Embeddings have no output; everywhere else its count must be there.
  const rest = differenceOf(usage.total_tokens, input)
  const said = countOf(usage.completion_tokens ?? usage.output_tokens ?? rest)
  if (said === null) return null
  // Some providers count in the total alone what a model has thought.
  const output = Math.max(said, rest ?? 0)
  const details = fieldsOf(usage.prompt_tokens_details ?? usage.input_tokens_details)
  const cached = Math.min(input, countOf(details.cached_tokens) ?? 0)
  return {
    inputTokens: input - cached,
    outputTokens: output,
    cacheReadTokens: cached,
    cacheWriteTokens: 0,
    longCacheWriteTokens: 0,
  }
}

function differenceOf(total: unknown, input: number): number | null {
  const all = countOf(total)
  return all === null || all < input ? null : all - input
}
