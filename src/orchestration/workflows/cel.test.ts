import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cpuTime } from '../../../test/support/cpu-time.ts'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import { CelProblem, compileCel } from './cel.ts'
import { estimate } from './cel-cost.ts'

const context: Record<string, JsonValue> = {
  inputs: {
    text: 'hello',
    whole: 3,
    broken: 0.5,
    flag: true,
    nothing: null,
    list: [1, 2, 3],
    'a-b': 'dash',
    constructor: 'data',
    files: 'a.ts\nb.ts\n\nc.md',
  },
}
const value = (source: string, values = context) => compileCel(source).evaluate((name) => values[name])

describe('evaluation', () => {
  test.each<[string, JsonValue]>([
    ['inputs.text', 'hello'],
    ['inputs.text + "!"', 'hello!'],
    ['inputs.whole + 1', 4],
    ['inputs.whole / 2', 1],
    ['inputs.whole * inputs.broken', 1.5],
    ['inputs.broken + 1', 1.5],
    ['1 - inputs.broken', 0.5],
    ['inputs.nothing == null', true],
    ['has(inputs.missing)', false],
    ['inputs["a-b"]', 'dash'],
    ['inputs.constructor', 'data'],
    ['inputs.list.map(x, x * 2)', [2, 4, 6]],
    ['inputs.list.filter(x, x > 1).size()', 2],
    ['inputs.list.exists(x, x == 2) && inputs.list.all(x, x > 0)', true],
    ['inputs.files.split("\\n").filter(f, f.endsWith(".ts")).join(", ")', 'a.ts, b.ts'],
    ['["a", 1, true, null].join("-")', 'a-1-true-'],
    ['inputs.text.matches("^h.l+o$") && !inputs.text.matches("^l")', true],
    ['inputs.text .matches( "x" ) ? {} : {"k": [1.5, null]}', { k: [1.5, null] }],
    ['cel.bind(t, inputs.text, t + t)', 'hellohello'],
    ['duration("90m")', '5400s'],
    ['timestamp("2026-01-02T03:04:05Z")', '2026-01-02T03:04:05.000Z'],
    ['size("ä😀")', 2],
    ['inputs.flag ? inputs.list[0] : 0', 1],
  ])('%s', (source, expected) => {
    expect(value(source)).toEqual(expected)
  })

  test.each([
    ['inputs.missing', 'No such key'],
    ['inputs.text.__proto__', 'No such key'],
    ['inputs.text + 1', 'types do not fit'],
    ['9223372036854775807 + 1', 'overflow'],
    ['9007199254740991 + 1', 'too large for JSON'],
    ['1.0 / 0.0', 'not a JSON number'],
    ['1 / 0', 'division by zero'],
    ['b"bytes"', 'not a JSON value'],
    ['inputs.list[7]', ''],
    ['eval("1")', 'unknown function eval()'],
    ['inputs.text.replace("a", "b")', 'unknown function .replace()'],
    ['bytes("a").json()', 'unknown function'],
  ])('%s has no value', (source, message) => {
    expect(() => value(source)).toThrow(CelProblem)
    expect(() => value(source)).toThrow(message)
  })

  test('does not change or keep what it reads', () => {
    const frozen = deepFreeze({ inputs: { list: [1, { a: [2] }] } })
    expect(value('inputs.list + [3]', frozen)).toEqual([1, { a: [2] }, 3])
    expect(frozen).toEqual({ inputs: { list: [1, { a: [2] }] } })
  })

  test('JSON survives the way there and back', () => {
    const integers = (each: JsonValue): boolean =>
      typeof each === 'number'
        ? !Object.is(each, -0)
        : each === null || typeof each !== 'object' || Object.values(each).every(integers)
    fc.assert(
      fc.property(
        fc.jsonValue().filter((each) => integers(each as JsonValue)),
        (json) => {
          expect(value('x', { x: json as JsonValue })).toEqual(json)
        },
      ),
    )
  })
})

describe('cost', () => {
  const items = Array.from({ length: 3_000 }, (_, i) => `item ${i}`)
  const big: Record<string, JsonValue> = {
    items,
    long: 'x'.repeat(500_000),
    some: 'x'.repeat(50_000),
    deep: { lists: [items, items] },
  }

  test.each([
    'items.map(a, items.map(b, a + b))',
    'items.map(a, items.exists(b, a == b))',
    'items.all(a, items.all(b, items.all(c, true)))',
    'items.exists(a, a in items)',
    'items.filter(a, size(items.filter(b, a == b)) > 1)',
    'long.split("").map(a, long.split(""))',
    'items.map(a, long + a).join("")',
    'items.map(a, long)',
    doubling(24, (x) => `${x} + ${x}`, '"0123456789abcdef"'),
    doubling(24, (x) => `[${x}, ${x}]`, '[1]'),
    `long.matches("${'(a?)'.repeat(150)}${'a'.repeat(150)}$")`,
    'items.map(a, long.contains(long))',
    'items.map(a, timestamp("2026-01-01T00:00:00Z").getFullYear("Europe/Berlin"))',
    'cel.bind(l, items + items + items, l.map(a, l.map(b, 1)))',
    '[items, items].map(l, l.map(x, l.map(y, x + y)))',
    `items.map(i, items.exists(j, j.missing))`,
    'deep.lists.map(l, l.map(x, deep.lists.map(m, m.map(y, x))))',
  ])('%s ends at once or is refused', (source) => {
    const started = cpuTime()
    expect(() => value(source, big)).toThrow(/too long|too large/)
    expect(cpuTime() - started).toBeLessThan(1_000)
  })

  test.each([
    'items.map(a, a + "!").filter(a, a.endsWith("7!")).size()',
    'items.join("\\n").split("\\n").size()',
    'some.matches("(x+)+y")',
    'items.exists(a, a == "item 2999")',
    '"item 7" in items',
    'long.contains("y")',
  ])('%s is let pass', (source) => {
    const started = cpuTime()
    value(source, big)
    expect(cpuTime() - started).toBeLessThan(2_000)
  })

  test('errors that a loop swallows are part of the cost', () => {
    const numbers = (count: number) => ({ numbers: Array.from({ length: count }, (_, i) => i) })
    for (const source of ['numbers.exists(n, n.missing)', 'numbers.map(n, n.missing || true)']) {
      expect(() => value(source, numbers(100_000))).toThrow('too long')
      const started = cpuTime()
      expect(() => [value(source, numbers(8_000)), value('numbers[0].missing', numbers(1))]).toThrow('No such key')
      expect(cpuTime() - started).toBeLessThan(2_000)
    }
    expect(new Error('x').stack).toContain('cel.test.ts')
  })

  test('the estimate bounds the size of every result', () => {
    const piece = fc.constantFrom('l', 's', 'n', '[1, 2]', '"ab"', '{"k": l}')
    const source = fc
      .tuple(
        fc.constantFrom(
          (a: string, b: string) => `${a} + ${b}`,
          (a: string, b: string) => `[${a}, ${b}]`,
          (a: string, b: string) => `l.map(x, [x, ${a}, ${b}])`,
          (a: string, b: string) => `true ? ${a} : ${b}`,
          (a: string) => `cel.bind(y, ${a}, [y, y])`,
          (a: string) => `[${a}].filter(x, true)`,
          (_: string, b: string) => `s.split(",").map(p, p + s).map(q, [q, ${b}])`,
          () => 's.split(",").join(s)',
          () => 's.split("")',
        ),
        piece,
        piece,
      )
      .map(([make, a, b]) => make(a, b))
    fc.assert(
      fc.property(source, fc.array(fc.string({ maxLength: 20 })), fc.string({ maxLength: 50 }), (text, l, s) => {
        const values: Record<string, JsonValue> = { l, s, n: 1 }
        let result: JsonValue
        try {
          result = value(text, values)
        } catch (error) {
          expect(error).toBeInstanceOf(CelProblem)
          return
        }
        expect(estimate(compileCel(text).ast, (name) => values[name]).weight).toBeGreaterThanOrEqual(weigh(result))
      }),
      { numRuns: 500 },
    )
  })

  function doubling(levels: number, double: (name: string) => string, first: string): string {
    const bind = (inner: string, i: number) => `cel.bind(v${i}, ${i === 0 ? first : double(`v${i - 1}`)}, ${inner})`
    return Array.from({ length: levels }, (_, i) => i).reduceRight(bind, `v${levels - 1}`)
  }

  function weigh(each: JsonValue): number {
    if (typeof each === 'string') return 1 + each.length / 16
    if (each === null || typeof each !== 'object') return 1
    return Object.values(each).reduce<number>((sum, inner) => sum + weigh(inner as JsonValue), 1)
  }
})

test('any text is a value or a problem with a place in it', () => {
  const word = fc.constantFrom(
    'inputs',
    '.',
    'text',
    'list',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '+',
    '==',
    '"',
    "'",
    '1',
    '?',
    ':',
    'map',
    'x',
    ',',
    ' ',
    '!',
    '&&',
    'matches',
    '\n',
    '//',
    'cel.bind',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(word, { maxLength: 12 }).map((words) => words.join('')),
      ),
      (source) => {
        try {
          value(source)
        } catch (error) {
          expect(error).toBeInstanceOf(CelProblem)
          expect((error as CelProblem).at).toBeGreaterThanOrEqual(0)
          expect((error as CelProblem).at).toBeLessThanOrEqual(source.length)
        }
      },
    ),
    { numRuns: 2_000 },
  )
})

function deepFreeze<T>(each: T): T {
  if (typeof each === 'object' && each !== null) for (const inner of Object.values(each)) deepFreeze(inner)
  return Object.freeze(each)
}
