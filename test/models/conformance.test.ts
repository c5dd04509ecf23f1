import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ModelPlace, openModelPlace } from './models.fixture.ts'

let place: ModelPlace

beforeAll(async () => {
  place = await openModelPlace()
})
beforeEach(() => {
  place.openaiServer.reset()
  place.anthropicServer.reset()
})
afterAll(() => place[Symbol.asyncDispose]())

const weather = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } } },
  },
} as const
const weatherTool = {
  name: 'weather',
  description: 'of a city',
  input_schema: { type: 'object', properties: { city: { type: 'string' } } },
} satisfies Anthropic.Tool
const ask = [{ role: 'user', content: 'How is it in Oslo?' }] as const

describe("OpenAI's client", () => {
  test('chats, whole and streamed', async () => {
    place.openaiServer.script([{ reply: { text: 'it is cold there', usage: { input: 7, output: 4 } } }])
    const whole = await place.openai.chat.completions.create({ model: 'gpt-4o', messages: [...ask] })
    expect(whole.choices[0]?.message.content).toBe('it is cold there')
    expect(whole.usage).toMatchObject({ prompt_tokens: 7, completion_tokens: 4 })
    const stream = await place.openai.chat.completions.create({ model: 'gpt-4o', messages: [...ask], stream: true })
    const chunks = []
    for await (const chunk of stream) chunks.push(chunk)
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('it is cold there')
    // The count is asked for upstream, and kept from who did not ask.
    expect(place.openaiServer.seen[1]?.body.stream_options).toEqual({ include_usage: true })
    expect(chunks.every((chunk) => chunk.choices.length === 1 && !chunk.usage)).toBe(true)
    const [streamed, first] = await place.calls(2)
    expect(streamed).toMatchObject({
      streamed: true,
      counted: true,
      inputTokens: 7,
      outputTokens: 4,
      outcome: 'answered',
    })
    expect(first).toMatchObject({ streamed: false, counted: true, microUsd: 58, account: 'oa', model: 'gpt-4o' })
  })

  test('gets the count of a stream when it asks for it', async () => {
    const stream = await place.openai.chat.completions.create({
      ...{ model: 'gpt-4o', messages: [...ask], stream: true, stream_options: { include_usage: true } },
    })
    let usage = null
    for await (const chunk of stream) usage = chunk.usage ?? usage
    expect(usage).toMatchObject({ completion_tokens: 1 })
  })

  test('calls tools, whole and streamed', async () => {
    place.openaiServer.script([{ reply: { tools: [{ name: 'weather', input: { city: 'Oslo' }, id: 'call_a' }] } }])
    const request = { model: 'quick', messages: [...ask], tools: [weather] }
    const whole = await place.openai.chat.completions.create(request)
    expect(whole.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ id: 'call_a', function: { name: 'weather', arguments: '{"city":"Oslo"}' } }] },
    })
    expect(place.openaiServer.seen[0]?.model).toBe('gpt-4o-mini')
    const final = await place.openai.chat.completions.stream(request).finalChatCompletion()
    expect(final.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { arguments: '{"city":"Oslo"}' } })
  })

  test('uses responses, whole and streamed', async () => {
    place.openaiServer.script([{ reply: { text: 'one two' } }])
    const whole = await place.openai.responses.create({ model: 'gpt-4o', input: 'count' })
    expect(whole.output_text).toBe('one two')
    const stream = await place.openai.responses.create({ model: 'gpt-4o', input: 'count', stream: true })
    const types = []
    for await (const event of stream) types.push(event.type)
    expect(types.at(-1)).toBe('response.completed')
    await expect
      .poll(async () => (await place.calls(1)).filter(({ wire }) => wire === 'responses'))
      .toMatchObject([
        { streamed: true, counted: true, outputTokens: 2 },
        { streamed: false, counted: true, outputTokens: 2 },
      ])
  })

  test('embeds', async () => {
    const { data, usage } = await place.openai.embeddings.create({ model: 'text-embedding-3-small', input: ['a', 'b'] })
    expect(data).toHaveLength(2)
    expect(usage.prompt_tokens).toBe(1)
  })

  test('lists models', async () => {
    const names = []
    for await (const model of place.openai.models.list()) names.push(model.id)
    expect(names).toEqual(['smart', 'quick', 'dear', 'unpriced'])
  })

  test('speaks to a model of Anthropic: tools, their results, and streams', async () => {
    place.anthropicServer.script([
      {
        times: 2,
        reply: {
          text: 'let me see ',
          tools: [{ name: 'weather', input: { city: 'Oslo' }, id: 'toolu_1' }],
          usage: { input: 11, output: 15, cacheRead: 5 },
        },
      },
      { reply: { text: 'cold and dry' } },
    ])
    const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'system', content: 'be brief' }, ...ask]
    const request = { model: 'claude-haiku-4-5', messages, tools: [weather], max_tokens: 100, stop: ['END'] }
    const whole = await place.openai.chat.completions.create(request)
    expect(whole.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: 'let me see ' } })
    expect(whole.usage).toMatchObject({
      prompt_tokens: 16,
      completion_tokens: 15,
      prompt_tokens_details: { cached_tokens: 5 },
    })
    const stream = place.openai.chat.completions.stream({ ...request, stream_options: { include_usage: true } })
    const streamed = await stream.finalChatCompletion()
    expect(streamed.choices[0]?.message.tool_calls).toMatchObject(whole.choices[0]?.message.tool_calls as object[])
    expect(streamed.usage).toEqual(whole.usage)
    const answer = await place.openai.chat.completions.create({
      ...request,
      messages: [
        ...messages,
        whole.choices[0]!.message,
        { role: 'tool', tool_call_id: 'toolu_1', content: '-3 degrees' },
      ],
    })
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'cold and dry' } })
    const sent = place.anthropicServer.seen[2]!
    expect(sent.headers).toMatchObject({ 'anthropic-version': '2023-06-01', 'x-api-key': 'k-anthropic' })
    expect(sent.body).toMatchObject({
      ...{ system: 'be brief', max_tokens: 100, stop_sequences: ['END'], tools: [weatherTool] },
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'How is it in Oslo?' }] },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'let me see ' },
            { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Oslo' } },
          ],
        },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: '-3 degrees' }] },
      ],
    })
  })

  test('is told plainly what has no counterpart', async () => {
    const request = { model: 'claude-haiku-4-5', messages: [...ask] }
    for (const more of [{ n: 2 }, { logit_bias: { 5: 1 } }, { response_format: { type: 'json_object' as const } }]) {
      const error = await place.openai.chat.completions.create({ ...request, ...more }).catch((caught) => caught)
      expect(error).toBeInstanceOf(OpenAI.BadRequestError)
      expect(error.code).toBe('model-dialect-unsupported')
    }
    const error = await place.openai.responses
      .create({ model: 'claude-haiku-4-5', input: 'x' })
      .catch((caught) => caught)
    expect(error.code).toBe('model-dialect-unsupported')
    expect(place.anthropicServer.seen).toEqual([])
  })

  test.each([
    ['no such model', { model: 'none' }, OpenAI.NotFoundError, 'model-not-found'],
    ['a model of others', { model: 'hidden' }, OpenAI.NotFoundError, 'model-not-found'],
    ['no model', {}, OpenAI.BadRequestError, 'model-request-invalid'],
  ])('gets errors of its kind: %s', async (_, body, type, code) => {
    const error = await place.openai.chat.completions
      .create({ messages: [], ...body } as never)
      .catch((caught) => caught)
    expect(error).toBeInstanceOf(type)
    expect(error).toMatchObject({ code, param: null })
  })

  test('gets errors of its kind: a wrong key, and what the provider says', async () => {
    const wrong = await place
      .clients('lvm_wrong')
      .openai.models.list()
      .catch((caught) => caught)
    expect(wrong).toBeInstanceOf(OpenAI.AuthenticationError)
    place.openaiServer.script([{ reply: { status: 400, message: 'temperature is too high' } }])
    const refused = await place.openai.chat.completions
      .create({ model: 'gpt-4o', messages: [...ask] })
      .catch((caught) => caught)
    expect(refused).toBeInstanceOf(OpenAI.BadRequestError)
    expect(refused.message).toContain('temperature is too high')
  })
})

describe("Anthropic's client", () => {
  const request = {
    model: 'claude-haiku-4-5',
    max_tokens: 100,
    messages: [{ role: 'user' as const, content: 'hello' }],
  }

  test('sends messages, whole and streamed', async () => {
    place.anthropicServer.script([
      { reply: { text: 'good day', usage: { input: 9, output: 2, cacheWrite: 4, longCacheWrite: 4 } } },
    ])
    const whole = await place.anthropic.messages.create(request)
    expect(whole.content).toEqual([{ type: 'text', text: 'good day' }])
    const streamed = await place.anthropic.messages.stream(request).finalMessage()
    expect(streamed.content).toMatchObject([{ type: 'text', text: 'good day' }])
    expect(streamed.usage).toMatchObject({ input_tokens: 9, output_tokens: 2 })
    const written = async () => (await place.calls(1)).filter(({ wire }) => wire === 'messages')
    await expect.poll(async () => (await written()).length).toBe(2)
    const [call] = await written()
    // 9 at 1, 2 at 5, and 4 kept for an hour at twice 1, in micro-dollars.
    expect(call).toMatchObject({ wire: 'messages', cacheWriteTokens: 4, microUsd: 9 + 10 + 8 })
  })

  test('uses tools, whole and streamed', async () => {
    place.anthropicServer.script([{ reply: { tools: [{ name: 'weather', input: { city: 'Oslo' } }] } }])
    const whole = await place.anthropic.messages.create({ ...request, tools: [weatherTool] })
    const streamed = await place.anthropic.messages.stream({ ...request, tools: [weatherTool] }).finalMessage()
    for (const message of [whole, streamed])
      expect(message).toMatchObject({
        stop_reason: 'tool_use',
        content: [{ type: 'tool_use', name: 'weather', input: { city: 'Oslo' } }],
      })
  })

  test('counts tokens', async () => {
    const { input_tokens } = await place.anthropic.messages.countTokens({
      model: request.model,
      messages: request.messages,
    })
    expect(input_tokens).toBe(2)
  })

  test('lists models', async () => {
    const names = []
    for await (const model of place.anthropic.models.list()) names.push(model.id)
    expect(names).toEqual(['smart', 'quick', 'dear', 'unpriced'])
  })

  test('speaks to a model of OpenAI: tools, their results, and streams', async () => {
    place.openaiServer.script([
      {
        times: 2,
        reply: {
          text: 'let me see ',
          tools: [
            { name: 'weather', input: { city: 'Oslo' }, id: 'call_1' },
            { name: 'weather', input: { city: 'Rome' }, id: 'call_2' },
          ],
        },
      },
      { reply: { text: 'cold and dry', usage: { input: 20, output: 3, cacheRead: 4 } } },
    ])
    const asked = { ...request, model: 'gpt-4o', system: 'be brief', tools: [weatherTool] }
    const whole = await place.anthropic.messages.create(asked)
    const streamed = await place.anthropic.messages.stream(asked).finalMessage()
    for (const message of [whole, streamed]) {
      expect(message.stop_reason).toBe('tool_use')
      expect(message.content).toMatchObject([
        { type: 'text', text: 'let me see ' },
        { type: 'tool_use', id: 'call_1', input: { city: 'Oslo' } },
        { type: 'tool_use', id: 'call_2', input: { city: 'Rome' } },
      ])
    }
    const results = (['call_1', 'call_2'] as const).map((id) => ({
      type: 'tool_result' as const,
      tool_use_id: id,
      content: id,
    }))
    const messages = [
      ...request.messages,
      { role: 'assistant' as const, content: whole.content },
      { role: 'user' as const, content: results },
    ]
    const answer = await place.anthropic.messages.create({ ...asked, messages })
    expect(answer).toMatchObject({ stop_reason: 'end_turn', content: [{ type: 'text', text: 'cold and dry' }] })
    expect(answer.usage).toMatchObject({ input_tokens: 20, output_tokens: 3, cache_read_input_tokens: 4 })
    expect(place.openaiServer.seen[2]?.body).toMatchObject({
      max_completion_tokens: 100,
      tools: [weather],
      messages: [
        { role: 'system', content: 'be brief' },
        { role: 'user', content: 'hello' },
        { role: 'assistant', content: 'let me see ', tool_calls: [{ id: 'call_1' }, { id: 'call_2' }] },
        { role: 'tool', tool_call_id: 'call_1', content: 'call_1' },
        { role: 'tool', tool_call_id: 'call_2', content: 'call_2' },
      ],
    })
  })

  test('gets errors of its kind', async () => {
    const error = await place.anthropic.messages.create({ ...request, model: 'none' }).catch((caught) => caught)
    expect(error).toBeInstanceOf(Anthropic.NotFoundError)
    expect(error.error).toMatchObject({ type: 'error', error: { type: 'not_found_error', code: 'model-not-found' } })
    const wrong = await place
      .clients('lvm_wrong')
      .anthropic.messages.create(request)
      .catch((caught) => caught)
    expect(wrong).toBeInstanceOf(Anthropic.AuthenticationError)
    place.openaiServer.script([{ reply: { status: 422, message: 'no such thing' } }])
    const refused = await place.anthropic.messages.create({ ...request, model: 'gpt-4o' }).catch((caught) => caught)
    expect(refused.error).toMatchObject({
      error: { type: 'invalid_request_error', code: 'model-upstream-refused', message: 'no such thing' },
    })
  })

  test('nothing of all this is a failure of ours', () => {
    expect(place.api.errors).toEqual([])
  })
})
