import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { namesIn, parseBody } from './parse-body.ts'

const parse = (text: string | Buffer, type: string | null = 'application/json') =>
  parseBody(Buffer.from(text as string), type).value

describe('a body', () => {
  test('is any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        expect(parse(JSON.stringify(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  test('may be a form, whose payload holds JSON', () => {
    const form = 'application/x-www-form-urlencoded'
    expect(parse('a=1&b=x+y', form)).toEqual({ a: '1', b: 'x y' })
    expect(parse(`payload=${encodeURIComponent('{"zen":true}')}`, `${form}; charset=utf-8`)).toEqual({ zen: true })
    const odd = parse('__proto__=x', form) as object
    expect(Object.getPrototypeOf(odd)).toBe(Object.prototype)
  })

  test.each([
    ['broken JSON', '{"a":', 'application/json'],
    ['nothing', '', 'application/json'],
    ['another type', 'a: 1', 'application/yaml'],
    ['a form with broken JSON', 'payload={', 'application/x-www-form-urlencoded'],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'application/json'],
    ['deep nesting', '['.repeat(66) + ']'.repeat(66), null],
    ['very deep nesting', '['.repeat(200_000) + ']'.repeat(200_000), null],
  ])('that is %s is refused by name', (_, text, type) => {
    expect(() => parse(text, type)).toThrow(expect.objectContaining({ code: 'webhook-malformed' }))
  })

  test('whatever comes, it is read or refused by name', () => {
    fc.assert(
      fc.property(
        fc.uint8Array(),
        fc.constantFrom('application/json', 'application/x-www-form-urlencoded'),
        (bytes, type) => {
          try {
            parseBody(Buffer.from(bytes), type)
          } catch (error) {
            expect(error).toMatchObject({ code: 'webhook-malformed' })
          }
        },
      ),
    )
  })
})

test('names are found where senders put them', () => {
  expect(namesIn({ id: 'evt_1', type: 'charge.failed' })).toEqual({ id: 'evt_1', type: 'charge.failed' })
  expect(namesIn({ event_id: 'Ev1', event: { type: 'message' }, type: 'event_callback' })).toEqual({
    id: 'Ev1',
    type: 'message',
  })
  expect(namesIn({ id: 7 })).toEqual({ id: null, type: null })
  expect(namesIn([1])).toEqual({ id: null, type: null })
})
