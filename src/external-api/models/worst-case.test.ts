import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ModelPrice, TokenUse } from '../../foundation/kernel/model-price.ts'
import { fits } from './catalog.ts'
import { chat } from './wire/chat.ts'
import { EventSplitter } from './wire/event-splitter.ts'
import type { Fields } from './wire/fields.ts'
import { openaiUsage } from './wire/openai-usage.ts'
import { boundInput, dearest, holdOf, outputWithin, unpricedFeature } from './worst-case.ts'

const costAt = (price: ModelPrice, { inputTokens = 0, outputTokens = 0 }: TokenUse) =>
  Math.ceil(inputTokens * price.input + outputTokens * price.output)

describe('the worst case', () => {
  test('the output limit for what was granted is the largest that fits', () => {
    const whole = fc.integer({ min: 0, max: 5_000 })
    const bounds = fc.record({ inputTokens: whole, outputTokens: whole, choices: fc.integer({ min: 1, max: 5 }) })
    const prices = fc.record({ input: fc.integer({ min: 0, max: 20 }), output: fc.integer({ min: 0, max: 90 }) })
    fc.assert(
      fc.property(bounds, prices, fc.nat(500_000), fc.nat(30_000), (bound, price, usd, tokens) => {
        const granted = { 'micro-usd': usd, tokens }
        const output = outputWithin(bound, price, granted, costAt)
        const within = (outputTokens: number) => {
          const hold = holdOf({ ...bound, outputTokens }, price, costAt)
          return hold['micro-usd'] <= usd && hold.tokens <= tokens
        }
        expect(output).toBeLessThanOrEqual(bound.outputTokens)
        if (output > 0) expect(within(output)).toBe(true)
        if (output < bound.outputTokens) expect(within(output + 1)).toBe(false)
      }),
    )
  })

  test('input is bounded by bytes, images on top, and by the context where it is only named', () => {
    const bound = (body: object, context: number | null = null) =>
      boundInput(JSON.stringify(body), body as never, context)
    const messages = [{ role: 'user', content: 'ü'.repeat(1_000) }]
    expect(bound({ messages })).toBeGreaterThan(2_000)
    expect(bound({ messages })).toBeLessThan(5_000)
    const image = { type: 'image_url', image_url: { url: 'https://example.org/a.png' } }
    expect(bound({ messages: [{ role: 'user', content: [image, image] }] })).toBeGreaterThan(100_000)
    expect(bound({ previous_response_id: 'resp_1' }, 200_000)).toBe(200_000)
    expect(bound({ messages: [{ content: [{ type: 'document', source: {} }] }] })).toBe(1_050_000)
  })

  test('the dearest price is that of any part and any time', () => {
    const price = { model: 'm', from: '2026-01-01', input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 }
    expect(dearest([price, { ...price, output: 20 }], false)).toEqual({ input: 3.75, output: 20 })
    expect(dearest([price], true).input).toBe(6)
  })

  test('what no price per token covers is named', () => {
    const feature = (body: Fields) => unpricedFeature(JSON.stringify(body), body, {})
    expect(feature({ tools: [{ type: 'web_search_20250305' }] })).toContain('web_search')
    expect(feature({ service_tier: 'priority' })).toContain('priority')
    expect(feature({ messages: [{ role: 'user', content: [{ type: 'input_audio' }] }] })).toContain('audio')
    expect(feature({ messages: [{ role: 'user', content: '{"type":"input_audio"}' }] })).toBe(null)
    expect(feature({ tools: [{ type: 'function' }, { name: 'own' }], service_tier: 'auto' })).toBe(null)
  })

  test('is counted by what a model has thought, too, wherever its provider counts it', () => {
    const inside = { prompt_tokens: 10, completion_tokens: 102, total_tokens: 112 }
    const outside = { prompt_tokens: 10, completion_tokens: 2, total_tokens: 112 }
    for (const usage of [inside, outside])
      expect(openaiUsage(usage)).toMatchObject({ inputTokens: 10, outputTokens: 102 })
  })
})

test('the output limit of a chat stands where its account takes it, and nowhere else', () => {
  const fields = ['max_tokens', 'max_completion_tokens'] as const
  const said = fc.option(fc.oneof(fc.integer(), fc.double(), fc.string(), fc.constant(null)), { nil: undefined })
  fc.assert(
    fc.property(said, said, fc.constantFrom(...fields), fc.nat(100_000), (old, now, field, tokens) => {
      const body = JSON.parse(JSON.stringify({ model: 'm', max_tokens: old, max_completion_tokens: now })) as Fields
      const limits = Object.entries(chat.limitOutput(body, tokens, field)).filter(([name]) => name !== 'model')
      expect(limits).toEqual([[field, tokens]])
    }),
  )
  const ready = { model: 'm', max_tokens: 5 }
  expect(chat.limitOutput(ready, 5, 'max_tokens')).toBe(ready)
})

test('events are the same however the stream is cut', () => {
  const words = fc.array(fc.string({ unit: 'grapheme', maxLength: 12 }), { maxLength: 8 })
  fc.assert(
    fc.property(words, fc.constantFrom('\n', '\r\n'), fc.array(fc.nat(9), { maxLength: 40 }), (texts, line, cuts) => {
      const datas = texts.map((text) => JSON.stringify({ text }))
      const bytes = Buffer.from(datas.map((data) => `event: x${line}data: ${data}${line}${line}`).join(''))
      const splitter = new EventSplitter()
      const found: string[] = []
      let at = 0
      for (const cut of [...cuts, bytes.length]) {
        for (const { data } of splitter.push(bytes.subarray(at, at + cut))) found.push(data)
        at += cut
      }
      expect(found).toEqual(datas)
      expect(splitter.rest()).toBe('')
    }),
  )
})

test('names fit patterns with any number of stars', () => {
  expect([fits('gpt-*', 'gpt-4o'), fits('gpt-4o', 'gpt-4o-mini'), fits('*', 'x'), fits('a*b*c', 'a1b2c')]).toEqual([
    ...[true, false, true, true],
  ])
  expect([fits('ab*ba', 'aba'), fits('a*b', 'ac'), fits('o1*', 'xo1')]).toEqual([false, false, false])
})
