import type { JsonObject } from '../../../../foundation/kernel/json.ts'
import { z } from '../../../../foundation/kernel/schema.ts'
import { sessionErrors } from '../../sessions/session-errors.ts'
import { type Message, type ModelUsage, noModelUsage } from '../conversation.ts'
import { type AnswerReader, argumentsOf, type LlmWire, stopOf } from './llm-wire.ts'

const count = z.number().int().min(0).nullish()
const chunkSchema = z.object({
  model: z.string().optional(),
  error: z.object({ message: z.string() }).optional(),
  choices: z
    .array(
      z.object({
        delta: z
          .object({
            content: z.string().nullish(),
            tool_calls: z
              .array(
                z.object({
                  index: z.int().min(0).max(1_000).optional(),
                  id: z.string().nullish(),
                  function: z.object({ name: z.string().nullish(), arguments: z.string().nullish() }).optional(),
                }),
              )
              .nullish(),
          })
          .nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .optional(),
  usage: z
    .object({
      prompt_tokens: count,
      completion_tokens: count,
      prompt_tokens_details: z.object({ cached_tokens: count }).nullish(),
    })
    .nullish(),
})

/** OpenAI's chat completions. */
export const chatWire: LlmWire = {
  env: { url: 'OPENAI_BASE_URL', key: 'OPENAI_API_KEY' },
  path: '/chat/completions',
  headers: (key) => ({ authorization: `Bearer ${key}` }),
  body: ({ model, system, messages, tools, mostTokens }) => ({
    ...{ model, stream: true, stream_options: { include_usage: true }, max_completion_tokens: mostTokens },
    messages: [{ role: 'system', content: system }, ...messages.flatMap(toWire)],
    ...(tools.length === 0
      ? {}
      : {
          tools: tools.map(({ name, description, input }) => ({
            type: 'function',
            function: { name, description, parameters: input },
          })),
        }),
  }),
  read: readChat,
}

function toWire(message: Message): JsonObject[] {
  switch (message.role) {
    case 'user':
      return [{ role: 'user', content: message.text }]
    case 'assistant': {
      const calls = message.calls.map(({ id, name, input }) => ({
        ...{ id, type: 'function', function: { name, arguments: JSON.stringify(input ?? {}) } },
      }))
      const content = message.text === '' && calls.length > 0 ? null : message.text
      return [{ role: 'assistant', content, ...(calls.length === 0 ? {} : { tool_calls: calls }) }]
    }
    case 'tools':
      return message.results.map(({ id, text }) => ({ role: 'tool', tool_call_id: id, content: text }))
  }
}

function readChat(): AnswerReader {
  const calls: { id: string; name: string; text: string }[] = []
  let text = ''
  let model = ''
  let usage: ModelUsage = noModelUsage
  let finish: string | null = null
  return {
    take({ data }) {
      if (data === '[DONE]') return ''
      const parsed = chunkSchema.safeParse(parseJson(data))
      if (!parsed.success) throw sessionErrors['agent-protocol']('the model sent what is no piece of an answer')
      const chunk = parsed.data
      if (chunk.error !== undefined) throw sessionErrors['agent-failed'](`the model broke off: ${chunk.error.message}`)
      model = chunk.model ?? model
      if (chunk.usage) {
        const cached = chunk.usage.prompt_tokens_details?.cached_tokens ?? 0
        usage = {
          inputTokens: Math.max(0, (chunk.usage.prompt_tokens ?? 0) - cached),
          outputTokens: chunk.usage.completion_tokens ?? 0,
          ...{ cacheReadTokens: cached, cacheWriteTokens: 0 },
        }
      }
      const choice = chunk.choices?.[0]
      finish = choice?.finish_reason ?? finish
      for (const part of choice?.delta?.tool_calls ?? []) {
        const at = part.index ?? calls.length
        calls[at] ??= { id: '', name: '', text: '' }
        const call = calls[at]
        call.id ||= part.id ?? ''
        call.name ||= part.function?.name ?? ''
        call.text += part.function?.arguments ?? ''
      }
      const words = choice?.delta?.content ?? ''
      text += words
      return words
    },
    end() {
      if (finish === null) throw sessionErrors['agent-protocol']('the answer of the model broke off')
      const made = calls
        .filter((call) => call !== undefined && call.name !== '')
        .map((call, n) => ({ id: call.id || `call_${n}`, name: call.name, input: argumentsOf(call.text) }))
      return { text, calls: made, stop: stopOf(finish, made), model, usage }
    },
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // refused by the schema
  }
}
