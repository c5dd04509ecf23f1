import type { Composed, SeenRequest } from './script.ts'
import { data, named, type WireWriter } from './wire-writer.ts'

const created = 1_790_000_000
const errorTypes: Readonly<Record<number, string>> = {
  401: 'invalid_request_error',
  404: 'invalid_request_error',
  429: 'rate_limit_exceeded',
}

function failure(status: number, message: string): object {
  const type = errorTypes[status] ?? (status < 500 ? 'invalid_request_error' : 'server_error')
  return { error: { message, type, param: null, code: status === 429 ? 'rate_limit_exceeded' : null } }
}

function chatUsage({ usage }: Composed) {
  if (usage === null) return null
  const prompt = usage.input + usage.cacheRead
  return {
    ...{ prompt_tokens: prompt, completion_tokens: usage.output, total_tokens: prompt + usage.output },
    prompt_tokens_details: { cached_tokens: usage.cacheRead, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
  }
}

const finishOf = ({ short, tools }: Composed) => (short ? 'length' : tools.length > 0 ? 'tool_calls' : 'stop')
const callOf = ({ id, name, input }: Composed['tools'][number]) => ({
  ...{ id, type: 'function' },
  function: { name, arguments: JSON.stringify(input) },
})

/** OpenAI's chat completions. */
export const chatWriter: WireWriter = {
  whole(request, answer) {
    const text = answer.words.join('')
    const message = {
      ...{ role: 'assistant', content: text === '' ? null : text, refusal: null },
      ...(answer.tools.length === 0 ? {} : { tool_calls: answer.tools.map(callOf) }),
    }
    const choices = Array.from({ length: request.body.n ?? 1 }, (_, index) => ({
      ...{ index, message, logprobs: null, finish_reason: finishOf(answer) },
    }))
    const usage = chatUsage(answer)
    const head = { id: `chatcmpl-${request.n}`, object: 'chat.completion', created, model: request.model }
    return { ...head, choices, ...(usage === null ? {} : { usage }), system_fingerprint: 'fp_scripted' }
  },
  pieces(request, answer) {
    const counted = request.body.stream_options?.include_usage === true
    const head = { id: `chatcmpl-${request.n}`, object: 'chat.completion.chunk', created, model: request.model }
    const chunk = (delta: object, finish: string | null = null) =>
      data({
        ...{ ...head, system_fingerprint: 'fp_scripted' },
        choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
        ...(counted ? { usage: null } : {}),
      })
    const calls = answer.tools.map((tool, index) => {
      const { function: called, ...call } = callOf(tool)
      const middle = Math.ceil(called.arguments.length / 2)
      const part = (text: string) => chunk({ tool_calls: [{ index, function: { arguments: text } }] })
      return (
        chunk({ tool_calls: [{ index, ...call, function: { name: called.name, arguments: '' } }] }) +
        part(called.arguments.slice(0, middle)) +
        part(called.arguments.slice(middle))
      )
    })
    const usage = chatUsage(answer)
    const last = counted && usage !== null ? data({ ...head, choices: [], usage }) : ''
    return [
      chunk({ role: 'assistant', content: '', refusal: null }),
      ...answer.words.map((word) => chunk({ content: word })),
      ...calls,
      `${chunk({}, finishOf(answer))}${last}data: [DONE]\n\n`,
    ]
  },
  failure,
  failureEvent: (message) => data(failure(500, message)),
}

function responseUsage({ usage }: Composed) {
  if (usage === null) return null
  const input = usage.input + usage.cacheRead
  return {
    ...{ input_tokens: input, input_tokens_details: { cached_tokens: usage.cacheRead } },
    ...{ output_tokens: usage.output, output_tokens_details: { reasoning_tokens: 0 } },
    total_tokens: input + usage.output,
  }
}

function outputOf(request: SeenRequest, answer: Composed) {
  const text = answer.words.join('')
  const content = [{ type: 'output_text', text, annotations: [], logprobs: [] }]
  const message = { id: `msg_${request.n}`, type: 'message', status: 'completed', role: 'assistant', content }
  const calls = answer.tools.map(({ id, name, input }) => ({
    ...{ id: `fc_${id}`, type: 'function_call', status: 'completed', call_id: id, name },
    arguments: JSON.stringify(input),
  }))
  return [...(text === '' ? [] : [message]), ...calls]
}

function responseOf(request: SeenRequest, answer: Composed, done: boolean) {
  return {
    ...{ id: `resp_${request.n}`, object: 'response', created_at: created, model: request.model },
    status: done ? (answer.short ? 'incomplete' : 'completed') : 'in_progress',
    incomplete_details: done && answer.short ? { reason: 'max_output_tokens' } : null,
    ...{ error: null, instructions: null, metadata: {}, parallel_tool_calls: true, temperature: 1, top_p: 1 },
    ...{ tool_choice: 'auto', tools: request.body.tools ?? [], max_output_tokens: request.limit },
    output: done ? outputOf(request, answer) : [],
    usage: done ? responseUsage(answer) : null,
  }
}

/** OpenAI's responses. */
export const responsesWriter: WireWriter = {
  whole: (request, answer) => responseOf(request, answer, true),
  pieces(request, answer) {
    let sequence = 0
    const event = (type: string, value: object) => named(type, { sequence_number: sequence++, ...value })
    const started = responseOf(request, answer, false)
    const item = { id: `msg_${request.n}`, type: 'message', status: 'in_progress', role: 'assistant', content: [] }
    const place = { item_id: item.id, output_index: 0, content_index: 0 }
    const pieces = [
      event('response.created', { response: started }) + event('response.in_progress', { response: started }),
    ]
    const [message] = outputOf(request, answer)
    if (answer.words.length > 0) {
      pieces[0] += event('response.output_item.added', { output_index: 0, item })
      for (const delta of answer.words)
        pieces.push(event('response.output_text.delta', { ...place, delta, logprobs: [] }))
      pieces.push(
        event('response.output_text.done', { ...place, text: answer.words.join(''), logprobs: [] }) +
          event('response.output_item.done', { output_index: 0, item: message }),
      )
    }
    const before = answer.words.length > 0 ? 1 : 0
    outputOf(request, answer)
      .slice(before)
      .forEach((call, n) => {
        const output_index = before + n
        const open = { ...call, status: 'in_progress', arguments: '' }
        const json = (call as { arguments: string }).arguments
        pieces.push(
          event('response.output_item.added', { output_index, item: open }) +
            event('response.function_call_arguments.delta', { item_id: call.id, output_index, delta: json }) +
            event('response.function_call_arguments.done', { item_id: call.id, output_index, arguments: json }) +
            event('response.output_item.done', { output_index, item: call }),
        )
      })
    const end = answer.short ? 'response.incomplete' : 'response.completed'
    return [...pieces, event(end, { response: responseOf(request, answer, true) })]
  },
  failure,
  failureEvent: (message) => named('error', { code: 'server_error', message, param: null, sequence_number: 0 }),
}

/** OpenAI's embeddings: a small vector for each input, always the same for the same text. */
export const embeddingsWriter: WireWriter = {
  whole(request, { usage }) {
    const inputs: readonly string[] = Array.isArray(request.body.input) ? request.body.input : [request.body.input]
    const vectors = inputs.map((text) => [...text.slice(0, 4).padEnd(4)].map((letter) => letter.charCodeAt(0) / 128))
    const asked = request.body.encoding_format === 'base64'
    const list = vectors.map((vector, index) => ({
      ...{ object: 'embedding', index },
      embedding: asked ? Buffer.from(new Float32Array(vector).buffer).toString('base64') : vector,
    }))
    const counted = usage === null ? {} : { usage: { prompt_tokens: usage.input, total_tokens: usage.input } }
    return { object: 'list', data: list, model: request.model, ...counted }
  },
  pieces: () => [],
  failure,
  failureEvent: () => '',
}
