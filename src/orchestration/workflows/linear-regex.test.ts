import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cpuTime } from '../../../test/support/cpu-time.ts'
import { compileRegex } from './linear-regex.ts'
import { RegexSyntaxError } from './regex-pattern.ts'

const atom = fc.constantFrom(
  'a',
  'b',
  'c',
  '.',
  '[ab]',
  '[^a]',
  '[a-c]',
  '\\d',
  '\\w',
  '\\W',
  '\\.',
  '\\b',
  '^',
  '$',
  '-',
)
const { pattern } = fc.letrec<{ pattern: string; branch: string; piece: string }>((tie) => ({
  pattern: fc.array(tie('branch'), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('|')),
  branch: fc.array(tie('piece'), { maxLength: 4 }).map((parts) => parts.join('')),
  piece: fc
    .tuple(
      fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        atom,
        tie('pattern').map((inner) => `(?:${inner})`),
      ),
      fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,3}', '{0,2}', '{2,}', '*?'),
    )
    .map(([body, times]) => (/^[\^$]$|^\\b$/.test(body) ? body : body + times)),
}))

describe('compileRegex', () => {
  test('agrees with the built-in engine', () => {
    fc.assert(
      fc.property(
        pattern.filter((source) => source.length < 60),
        fc.string({ unit: fc.constantFrom('a', 'b', 'c', '.', '1', '-', ' ', '\n'), maxLength: 10 }),
        (source, text) => {
          fc.pre(!tooLarge(source))
          expect(compileRegex(source).test(text), `${source} on ${JSON.stringify(text)}`).toBe(
            new RegExp(source).test(text),
          )
        },
      ),
      { numRuns: 3_000 },
    )
  })

  test.each([
    ['(?i)straße', 'STRASSE STRAßE', true],
    ['^\\x41\\x{1F600}$', 'A😀', true],
    ['^.$', '😀', true],
    ['^[^\\]]+$', 'a]b', false],
    ['[a-]', '-', true],
    ['a{,2}', 'a{,2}', true],
    ['', '', true],
    ['a||b', 'zzz', true],
  ])('%s on %s', (source, text, matches) => {
    expect(compileRegex(source).test(text)).toBe(matches)
  })

  test.each([
    '(a',
    'a)',
    '[a',
    '*a',
    'a**',
    '\\1',
    '(?=a)',
    '(?<n>a)',
    'a{1000}',
    '((a{90}){90}){90}',
    '\\',
    '[z-a]',
    '[[:alpha:]]',
    '('.repeat(80) + ')'.repeat(80),
  ])('refuses %s', (source) => {
    expect(() => compileRegex(source)).toThrow(RegexSyntaxError)
  })

  test('any text is a pattern or a syntax error', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (source) => {
        try {
          compileRegex(source).test('some text')
        } catch (error) {
          expect(error).toBeInstanceOf(RegexSyntaxError)
        }
      }),
    )
  })

  test.each(['(a+)+$', '(a|a)*$', '(a|aa)+$', '(.*)*b', '(a?){30}a{30}$', '([a-z]+)*9'])(
    '%s takes no longer on hostile text',
    (source) => {
      const started = cpuTime()
      compileRegex(source).test(`${'a'.repeat(5_000)}!`)
      expect(cpuTime() - started).toBeLessThan(2_000)
    },
  )
})

/** Counts in counts multiply: the built-in engine takes them, ours refuses them by design. */
function tooLarge(source: string): boolean {
  try {
    compileRegex(source)
    return false
  } catch (error) {
    return error instanceof RegexSyntaxError && error.message.includes('too large')
  }
}
