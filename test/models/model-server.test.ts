import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from '../../src/foundation/kernel/schema.ts'
import { ModelServer } from '../support/model-server/index.ts'

/** https://ai.google.dev/api/generate-content: what a client of Gemini relies on, and nothing else may be there. */
const part = z.union([
  z.strictObject({ text: z.string() }),
  z.strictObject({ functionCall: z.strictObject({ name: z.string(), args: z.record(z.string(), z.unknown()) }) }),
])
const answerSchema = z.strictObject({
  candidates: z.array(
    z.strictObject({
      content: z.strictObject({ role: z.literal('model'), parts: z.array(part) }),
      index: z.int(),
      finishReason: z.enum(['STOP', 'MAX_TOKENS']).optional(),
    }),
  ),
  usageMetadata: z
    .strictObject({
      promptTokenCount: z.int(),
      candidatesTokenCount: z.int(),
      totalTokenCount: z.int(),
      cachedContentTokenCount: z.int(),
    })
    .optional(),
  modelVersion: z.string(),
  responseId: z.string(),
})
const failureSchema = z.strictObject({
  error: z.strictObject({ code: z.int(), message: z.string(), status: z.string() }),
})

describe('the scripted provider in the dialect of Gemini', () => {
  let server: ModelServer
  beforeAll(async () => {
    server = await ModelServer.start({ key: 'k' })
  })
  afterAll(() => server[Symbol.asyncDispose]())
  beforeEach(() => server.reset())

  const ask = (method: string, more: object = {}, key = 'k') =>
    fetch(`${server.url}/v1beta/models/gemini-pro:${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-goog-api-key': key },
      body: JSON.stringify({
        systemInstruction: { parts: [{ text: 'be brief' }] },
        contents: [{ role: 'user', parts: [{ text: 'say hello' }] }],
        ...more,
      }),
    })
  const whole = async (more: object = {}) => answerSchema.parse(await (await ask('generateContent', more)).json())
  const pieces = async (more: object = {}) => {
    const answer = await ask('streamGenerateContent?alt=sse', more)
    expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/)
    const events = (await answer.text()).split('\n\n').filter((event) => event !== '')
    return events.map((event) => JSON.parse(event.replace(/^data: /, '')) as unknown)
  }

  test('answers whole, and knows what it was asked', async () => {
    server.script([{ reply: { text: 'hello you', usage: { input: 7, output: 2, cacheRead: 3 } } }])
    const { candidates, usageMetadata, modelVersion } = await whole()
    expect(candidates).toEqual([
      { content: { role: 'model', parts: [{ text: 'hello you' }] }, index: 0, finishReason: 'STOP' },
    ])
    expect(usageMetadata).toEqual({
      ...{ promptTokenCount: 10, candidatesTokenCount: 2 },
      ...{ totalTokenCount: 12, cachedContentTokenCount: 3 },
    })
    expect(modelVersion).toBe('gemini-pro')
    expect(server.seen[0]).toMatchObject({
      wire: 'gemini',
      model: 'gemini-pro',
      stream: false,
      said: 'say hello',
      key: 'k',
    })
    expect(server.seen[0]!.texts).toEqual(['be brief', 'say hello'])
  })

  test('streams word by word; the end and the count come with the last piece', async () => {
    server.script([{ reply: { text: 'one two three' } }])
    const events = (await pieces()).map((event) => answerSchema.parse(event))
    const texts = events.flatMap(({ candidates }) =>
      candidates[0]!.content.parts.map((one) => ('text' in one ? one.text : '')),
    )
    expect(texts.join('')).toBe('one two three')
    expect(
      events
        .slice(0, -1)
        .every(
          ({ candidates, usageMetadata }) => candidates[0]!.finishReason === undefined && usageMetadata === undefined,
        ),
    ).toBe(true)
    expect(events.at(-1)).toMatchObject({
      candidates: [{ finishReason: 'STOP' }],
      usageMetadata: { candidatesTokenCount: 3 },
    })
    expect(server.seen[0]).toMatchObject({ stream: true })
  })

  test('calls tools, whole and streamed', async () => {
    const reply = { tools: [{ name: 'read', input: { path: 'a' } }] }
    server.script([{ reply }])
    const declared = { tools: [{ functionDeclarations: [{ name: 'read' }, { name: 'write' }] }] }
    const call = { functionCall: { name: 'read', args: { path: 'a' } } }
    expect((await whole(declared)).candidates[0]!.content.parts).toEqual([call])
    const last = answerSchema.parse((await pieces(declared)).at(-1))
    expect(last.candidates[0]!.content.parts).toEqual([call])
    expect(server.seen[0]!.tools).toEqual(['read', 'write'])
  })

  test('keeps the output limit, and says that it cut', async () => {
    server.script([{ reply: { text: 'one two three four' } }])
    const { candidates, usageMetadata } = await whole({ generationConfig: { maxOutputTokens: 2 } })
    expect(candidates[0]).toMatchObject({ finishReason: 'MAX_TOKENS', content: { parts: [{ text: 'one two ' }] } })
    expect(usageMetadata!.candidatesTokenCount).toBe(2)
    expect(server.seen[0]!.limit).toBe(2)
  })

  test('tells failures in its form: a wrong key, a limit, an end in the middle', async () => {
    const refused = await ask('generateContent', {}, 'wrong')
    expect(refused.status).toBe(401)
    expect(failureSchema.parse(await refused.json()).error.code).toBe(401)
    server.script([
      { times: 1, reply: { status: 429, message: 'slow down' } },
      { reply: { text: 'a b c', failAfter: 1 } },
    ])
    const limited = await ask('generateContent')
    expect(limited.status).toBe(429)
    expect(failureSchema.parse(await limited.json()).error).toMatchObject({ status: 'RESOURCE_EXHAUSTED' })
    const events = await pieces()
    expect(events).toHaveLength(2)
    expect(failureSchema.parse(events[1]).error).toMatchObject({ code: 500, status: 'INTERNAL' })
  })

  test('where the script tells no count there is none', async () => {
    server.script([{ reply: { text: 'x', usage: null } }])
    expect((await whole()).usageMetadata).toBe(undefined)
    expect(answerSchema.parse((await pieces()).at(-1)).usageMetadata).toBe(undefined)
  })
})
