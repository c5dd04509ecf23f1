import { type Fields, fieldsOf, listOf, textOf } from '../wire/fields.ts'
import { refuseOthers, unsupported } from './unsupported.ts'

type Message = Record<string, unknown>

const known = new Set([
  ...['model', 'messages', 'system', 'max_tokens', 'temperature', 'top_p', 'stop_sequences', 'stream', 'tools'],
  ...['tool_choice', 'metadata', 'thinking', 'service_tier'],
])

/** A message of Anthropic as a chat completion. `field`: where the output limit goes. */
export function messagesToChat(body: Fields, field: string): Fields {
  refuseOthers(body, known)
  const thinking = fieldsOf(body.thinking).type
  if (thinking !== undefined && thinking !== 'disabled') throw unsupported('thinking')
  const system = systemOf(body.system)
  const tools = listOf(body.tools).map(toolOf)
  const user = fieldsOf(body.metadata).user_id
  const stop = listOf(body.stop_sequences)
  return {
    model: body.model,
    messages: [...system, ...listOf(body.messages).flatMap((item) => messagesOf(fieldsOf(item)))],
    [field]: body.max_tokens,
    ...(tools.length === 0 ? {} : { tools }),
    ...(tools.length === 0 ? {} : toolChoiceOf(fieldsOf(body.tool_choice))),
    ...(stop.length === 0 ? {} : { stop }),
    ...(typeof body.temperature === 'number' ? { temperature: body.temperature } : {}),
    ...(typeof body.top_p === 'number' ? { top_p: body.top_p } : {}),
    ...(typeof user === 'string' ? { user } : {}),
    ...(body.stream === true ? { stream: true } : {}),
  }
}

function systemOf(system: unknown): Message[] {
  if (system === undefined || system === null) return []
  const text = typeof system === 'string' ? system : listOf(system).map(textOfBlock).join('\n\n')
  return text === '' ? [] : [{ role: 'system', content: text }]
}

function textOfBlock(item: unknown): string {
  const block = fieldsOf(item)
  if (block.type !== 'text') throw unsupported(`a block of the type ${String(block.type)} in this place`)
  return textOf(block.text) ?? ''
}

function messagesOf({ role, content }: Fields): Message[] {
  if (role !== 'user' && role !== 'assistant') throw unsupported(`a message of the role ${String(role)}`)
  if (typeof content === 'string') return [{ role, content }]
  const blocks = listOf(content).map(fieldsOf)
  return role === 'user' ? userMessages(blocks) : assistantMessages(blocks)
}

/** The results of tools are messages of their own, before what the user says. */
function userMessages(blocks: readonly Fields[]): Message[] {
  const results: Message[] = []
  const parts: Message[] = []
  for (const block of blocks) {
    switch (block.type) {
      case 'tool_result':
        results.push({ role: 'tool', tool_call_id: block.tool_use_id, content: resultText(block) })
        break
      case 'text':
        parts.push({ type: 'text', text: block.text })
        break
      case 'image':
        parts.push({ type: 'image_url', image_url: { url: imageUrl(fieldsOf(block.source)) } })
        break
      default:
        throw unsupported(`a block of the type ${String(block.type)}`)
    }
  }
  return parts.length === 0 ? results : [...results, { role: 'user', content: simplest(parts) }]
}

function resultText({ content, is_error: failed }: Fields): string {
  const text = typeof content === 'string' ? content : listOf(content).map(textOfBlock).join('\n')
  return failed === true ? `Error: ${text}` : text
}

function imageUrl(source: Fields): string {
  if (source.type === 'url') return textOf(source.url) ?? ''
  if (source.type === 'base64') return `data:${String(source.media_type)};base64,${String(source.data)}`
  throw unsupported(`an image from ${String(source.type)}`)
}

/** Many servers take text alone as a string only. */
function simplest(parts: readonly Message[]): unknown {
  return parts.every(({ type }) => type === 'text') ? parts.map(({ text }) => String(text)).join('\n') : parts
}

function assistantMessages(blocks: readonly Fields[]): Message[] {
  const texts: string[] = []
  const calls: Message[] = []
  for (const block of blocks) {
    switch (block.type) {
      case 'text':
        texts.push(textOf(block.text) ?? '')
        break
      case 'tool_use':
        calls.push({
          ...{ id: block.id, type: 'function' },
          function: { name: block.name, arguments: JSON.stringify(block.input ?? {}) },
        })
        break
      // What another model has thought is of no use to this one.
      case 'thinking':
      case 'redacted_thinking':
        break
      default:
        throw unsupported(`a block of the type ${String(block.type)}`)
    }
  }
  const content = texts.length === 0 ? null : texts.join('')
  if (content === null && calls.length === 0) return []
  return [{ role: 'assistant', content, ...(calls.length === 0 ? {} : { tool_calls: calls }) }]
}

function toolOf(item: unknown): Message {
  const { type = 'custom', name, description, input_schema: parameters } = fieldsOf(item)
  if (type !== 'custom' && type !== null) throw unsupported(`the tool ${String(type)}`)
  return {
    type: 'function',
    function: { name, ...(typeof description === 'string' ? { description } : {}), parameters },
  }
}

function toolChoiceOf({ type, name, disable_parallel_tool_use: alone }: Fields): Message {
  const parallel = alone === true ? { parallel_tool_calls: false } : {}
  switch (type) {
    case undefined:
      return parallel
    case 'auto':
    case 'none':
      return { tool_choice: type, ...parallel }
    case 'any':
      return { tool_choice: 'required', ...parallel }
    case 'tool':
      return { tool_choice: { type: 'function', function: { name } }, ...parallel }
    default:
      throw unsupported(`tool_choice ${String(type)}`)
  }
}
