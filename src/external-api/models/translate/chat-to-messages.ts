import { modelErrors } from '../models-errors.ts'
import { type Fields, fieldsOf, listOf, parseFields, textOf } from '../wire/fields.ts'
import { refuseOthers, unsupported } from './unsupported.ts'

type Block = Record<string, unknown>
interface Turn {
  readonly role: 'user' | 'assistant'
  readonly content: Block[]
}

const known = new Set([
  ...['model', 'messages', 'max_tokens', 'max_completion_tokens', 'temperature', 'top_p', 'stop', 'stream', 'tools'],
  ...['tool_choice', 'parallel_tool_calls', 'user', 'n', 'response_format'],
  // They change nothing in the answer, or only what was promised as far as possible.
  ...['stream_options', 'store', 'metadata', 'seed', 'service_tier', 'safety_identifier', 'prompt_cache_key'],
  ...['prompt_cache_retention', 'logprobs', 'frequency_penalty', 'presence_penalty', 'modalities', 'reasoning_effort'],
])

/** A chat completion as a message of Anthropic. `outputTokens`: the limit where none is named, because one must be. */
export function chatToMessages(body: Fields, outputTokens: number): Fields {
  refuseOthers(body, known)
  refuseValues(body)
  const { system, turns } = turnsOf(listOf(body.messages))
  const choice = toolChoiceOf(body)
  const tools = listOf(body.tools).map(toolOf)
  const stop = typeof body.stop === 'string' ? [body.stop] : listOf(body.stop)
  return {
    model: body.model,
    max_tokens: body.max_completion_tokens ?? body.max_tokens ?? outputTokens,
    ...(system === '' ? {} : { system }),
    messages: turns,
    ...(tools.length === 0 ? {} : { tools }),
    ...(choice === null || tools.length === 0 ? {} : { tool_choice: choice }),
    ...(stop.length === 0 ? {} : { stop_sequences: stop }),
    ...(isGiven(body.temperature) ? { temperature: body.temperature } : {}),
    ...(isGiven(body.top_p) ? { top_p: body.top_p } : {}),
    ...(body.stream === true ? { stream: true } : {}),
    ...(typeof body.user === 'string' ? { metadata: { user_id: body.user } } : {}),
  }
}

const isGiven = (value: unknown) => value !== undefined && value !== null

function refuseValues(body: Fields): void {
  if (isGiven(body.n) && body.n !== 1) throw unsupported('n')
  if (body.logprobs === true) throw unsupported('logprobs')
  if (typeof body.temperature === 'number' && body.temperature > 1) throw unsupported('a temperature above 1')
  for (const name of ['frequency_penalty', 'presence_penalty'])
    if (isGiven(body[name]) && body[name] !== 0) throw unsupported(name)
  const format = fieldsOf(body.response_format).type
  if (isGiven(format) && format !== 'text') throw unsupported(`response_format ${String(format)}`)
  if (listOf(body.modalities).some((one) => one !== 'text')) throw unsupported('modalities')
  if (isGiven(body.reasoning_effort) && !['none', 'minimal'].includes(String(body.reasoning_effort)))
    throw unsupported(`reasoning_effort ${String(body.reasoning_effort)}`)
}

function turnsOf(list: readonly unknown[]): { readonly system: string; readonly turns: readonly Turn[] } {
  const system: string[] = []
  const turns: Turn[] = []
  const add = (role: Turn['role'], content: Block[]) => {
    const last = turns.at(-1)
    // The results of several tools, and what is said with them, are one turn.
    if (last?.role === role) last.content.push(...content)
    else turns.push({ role, content })
  }
  for (const item of list) {
    const message = fieldsOf(item)
    switch (message.role) {
      case 'system':
      case 'developer':
        system.push(textsOf(message.content).join(''))
        break
      case 'user':
        add('user', partsOf(message.content))
        break
      case 'assistant':
        add('assistant', assistantOf(message))
        break
      case 'tool':
        add('user', [{ type: 'tool_result', tool_use_id: message.tool_call_id, content: toolContent(message.content) }])
        break
      default:
        throw unsupported(`a message of the role ${String(message.role)}`)
    }
  }
  return { system: system.join('\n\n'), turns: turns.filter(({ content }) => content.length > 0) }
}

function textsOf(content: unknown): readonly string[] {
  if (typeof content === 'string') return [content]
  return listOf(content).map((part) => {
    const { type, text } = fieldsOf(part)
    if (type !== 'text' || typeof text !== 'string')
      throw unsupported(`a part of the type ${String(type)} in this message`)
    return text
  })
}

function partsOf(content: unknown): Block[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }]
  return listOf(content).map((item): Block => {
    const part = fieldsOf(item)
    if (part.type === 'text') return { type: 'text', text: part.text }
    if (part.type === 'image_url') return { type: 'image', source: imageOf(textOf(fieldsOf(part.image_url).url) ?? '') }
    throw unsupported(`a part of the type ${String(part.type)}`)
  })
}

function imageOf(url: string): Block {
  const data = /^data:([^;,]+);base64,(.*)$/s.exec(url)
  return data === null ? { type: 'url', url } : { type: 'base64', media_type: data[1], data: data[2] }
}

function toolContent(content: unknown): unknown {
  return typeof content === 'string' ? content : partsOf(content)
}

function assistantOf(message: Fields): Block[] {
  if (isGiven(message.function_call)) throw unsupported('function_call')
  if (isGiven(message.audio)) throw unsupported('audio')
  const texts = message.content === null || message.content === undefined ? [] : assistantTexts(message.content)
  const calls = listOf(message.tool_calls).map((item): Block => {
    const call = fieldsOf(item)
    if (call.type !== 'function') throw unsupported(`a tool call of the type ${String(call.type)}`)
    const { name, arguments: given } = fieldsOf(call.function)
    const input = given === '' ? {} : parseFields(textOf(given) ?? '')
    if (input === null)
      throw modelErrors['model-request-invalid'](`the arguments of the tool call ${String(call.id)} are no JSON object`)
    return { type: 'tool_use', id: call.id, name, input }
  })
  return [...texts.filter((text) => text !== '').map((text) => ({ type: 'text', text })), ...calls]
}

function assistantTexts(content: unknown): readonly string[] {
  if (typeof content === 'string') return [content]
  return listOf(content).map((part) => textOf(fieldsOf(part).text ?? fieldsOf(part).refusal) ?? '')
}

function toolOf(item: unknown): Block {
  const tool = fieldsOf(item)
  if (tool.type !== 'function') throw unsupported(`a tool of the type ${String(tool.type)}`)
  const { name, description, parameters } = fieldsOf(tool.function)
  return {
    name,
    ...(typeof description === 'string' ? { description } : {}),
    input_schema: parameters ?? { type: 'object', properties: {} },
  }
}

function toolChoiceOf(body: Fields): Block | null {
  const alone = body.parallel_tool_calls === false ? { disable_parallel_tool_use: true } : {}
  const choice = body.tool_choice
  if (choice === 'none') return { type: 'none' }
  if (choice === 'required') return { type: 'any', ...alone }
  if (choice === 'auto' || !isGiven(choice))
    return body.parallel_tool_calls === false ? { type: 'auto', ...alone } : null
  const { type, function: named } = fieldsOf(choice)
  if (type !== 'function') throw unsupported(`tool_choice ${String(type)}`)
  return { type: 'tool', name: fieldsOf(named).name, ...alone }
}
