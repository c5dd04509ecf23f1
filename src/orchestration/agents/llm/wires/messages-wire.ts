import type { JsonObject } from '../../../../foundation/kernel/json.ts'
import { z } from '../../../../foundation/kernel/schema.ts'
import { sessionErrors } from '../../sessions/session-errors.ts'
import { type Message, type ModelUsage, noModelUsage } from '../conversation.ts'
import { type AnswerReader, argumentsOf, type LlmWire, stopOf } from './llm-wire.ts'

const count = z.number().int().min(0).nullish()
const usageSchema = z.object({
  input_tokens: count,
  output_tokens: count,
  cache_read_input_tokens: count,
  cache_creation_input_tokens: count,
})
const eventSchema = z.object({
  type: z.string(),
  index: z.int().min(0).max(10_000).optional(),
  message: z.object({ model: z.string().optional(), usage: usageSchema.nullish() }).optional(),
  content_block: z.object({ type: z.string(), id: z.string().optional(), name: z.string().optional() }).optional(),
  delta: z
    .object({
      text: z.string().optional(),
      partial_json: z.string().optional(),
      stop_reason: z.string().nullish(),
    })
    .optional(),
  usage: usageSchema.nullish(),
  error: z.object({ message: z.string() }).optional(),
})

/** Anthropic's messages. */
export const messagesWire: LlmWire = {
  env: { url: 'ANTHROPIC_BASE_URL', key: 'ANTHROPIC_API_KEY' },
  path: '/v1/messages',
  headers: (key) => ({ 'x-api-key': key, 'anthropic-version': '2023-06-01' }),
  body: ({ model, system, messages, tools, mostTokens }) => ({
    ...{ model, stream: true, max_tokens: mostTokens, system, messages: messages.map(toWire) },
    ...(tools.length === 0
      ? {}
      : { tools: tools.map(({ name, description, input }) => ({ name, description, input_schema: input })) }),
  }),
  read: readMessages,
}

function toWire(message: Message): JsonObject {
  switch (message.role) {
    case 'user':
      return { role: 'user', content: message.text }
    case 'assistant':
      return {
        role: 'assistant',
        content: [
          ...(message.text === '' ? [] : [{ type: 'text', text: message.text }]),
          ...message.calls.map(({ id, name, input }) => ({ type: 'tool_use', id, name, input: input ?? {} })),
        ],
      }
    case 'tools':
      return {
        role: 'user',
        content: message.results.map(({ id, text, failed }) => ({
          ...{ type: 'tool_result', tool_use_id: id, content: text },
          ...(failed ? { is_error: true } : {}),
        })),
      }
  }
}

function readMessages(): AnswerReader {
  const calls = new Map<number, { id: string; name: string; text: string }>()
  let text = ''
  let model = ''
  let usage: ModelUsage = noModelUsage
  let stop: string | null = null
  let ended = false

  function tell(said: z.output<typeof usageSchema> | null | undefined): void {
    if (!said) return
    usage = {
      inputTokens: said.input_tokens ?? usage.inputTokens,
      outputTokens: said.output_tokens ?? usage.outputTokens,
      cacheReadTokens: said.cache_read_input_tokens ?? usage.cacheReadTokens,
      cacheWriteTokens: said.cache_creation_input_tokens ?? usage.cacheWriteTokens,
    }
  }

  return {
    take({ data }) {
      const parsed = eventSchema.safeParse(parseJson(data))
      if (!parsed.success) throw sessionErrors['agent-protocol']('the model sent what is no piece of an answer')
      const { type, index = 0, message, content_block: block, delta, usage: told, error } = parsed.data
      if (type === 'error')
        throw sessionErrors['agent-failed'](`the model broke off: ${error?.message ?? 'it does not say why'}`)
      model = message?.model ?? model
      tell(message?.usage)
      tell(told)
      stop = delta?.stop_reason ?? stop
      ended ||= type === 'message_stop'
      if (type === 'content_block_start' && block?.type === 'tool_use')
        calls.set(index, { id: block.id ?? `call_${index}`, name: block.name ?? '', text: '' })
      if (type !== 'content_block_delta') return ''
      const call = calls.get(index)
      if (call !== undefined) call.text += delta?.partial_json ?? ''
      const words = delta?.text ?? ''
      text += words
      return words
    },
    end() {
      if (!ended) throw sessionErrors['agent-protocol']('the answer of the model broke off')
      const made = [...calls.values()].map(({ id, name, text: given }) => ({ id, name, input: argumentsOf(given) }))
      return { text, calls: made, stop: stopOf(stop, made), model, usage }
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
