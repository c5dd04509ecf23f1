import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { filesToLookAt, settle } from '../scripts/second-look.ts'
import { type FileSummary, type TestSummary, totalsOf } from '../scripts/test-reporter.ts'

const ended = (code: number | null, signal: string | null = null) => ({ code, signal })

/** A file as the reporter tells of it: its tests and how each ended; no tests where it could not be loaded. */
function fileOf(file: string, tests: Readonly<Record<string, 'passed' | 'failed' | 'skipped' | 'not run'>> | null) {
  const names = (...states: string[]) =>
    Object.entries(tests ?? {}).flatMap(([name, state]) => (states.includes(state) ? [name] : []))
  const failed = names('failed').length
  return {
    ...{ file, passed: names('passed').length, passedNames: names('passed') },
    failed: failed || (tests === null || names('not run').length > 0 ? 1 : 0),
    skippedNames: names('skipped', 'not run'),
    toRun: names('passed', 'failed', 'not run'),
    text: '',
  } satisfies FileSummary
}

const summaryOf = (...files: FileSummary[]): TestSummary => ({ files, unhandled: 0, unfinished: 0 })

describe('a second look', () => {
  const good = fileOf('good', { a: 'passed', b: 'skipped' })
  const bad = fileOf('bad', { a: 'passed', b: 'failed', c: 'skipped' })
  const first = summaryOf(good, bad)

  test('is had where a few files of the whole suite failed and nothing else did', () => {
    expect(filesToLookAt(first, ended(1), ['--coverage'])).toEqual(['bad'])
    expect(filesToLookAt(first, ended(1), ['bad'])).toEqual([])
    expect(filesToLookAt(summaryOf(good), ended(0), [])).toEqual([])
    expect(filesToLookAt(null, ended(1), [])).toEqual([])
    expect(filesToLookAt(first, ended(null, 'SIGKILL'), [])).toEqual([])
    expect(filesToLookAt(first, ended(134), [])).toEqual([])
    expect(filesToLookAt({ ...first, unhandled: 1 }, ended(1), [])).toEqual([])
    expect(filesToLookAt({ ...first, unfinished: 1 }, ended(1), [])).toEqual([])
    const many = ['a', 'b', 'c', 'd'].map((name) => fileOf(name, null))
    expect(filesToLookAt(summaryOf(...many), ended(1), [])).toEqual([])
    expect(filesToLookAt(summaryOf(...many.slice(1)), ended(1), [])).toHaveLength(3)
  })

  test('in which all of them passed, makes good what failed', () => {
    const now = fileOf('bad', { a: 'passed', b: 'passed', c: 'skipped' })
    const settled = settle(first, summaryOf(now), ended(0))
    expect(settled).toEqual({ files: [good, now], unsteady: [bad], isGood: true })
    expect(totalsOf({ files: settled.files, unhandled: 0 })).toEqual({ passed: 3, failed: 0, skipped: 2 })
  })

  test.each<[string, FileSummary[], ReturnType<typeof ended>, Partial<TestSummary>]>([
    ['ran no file', [], ended(0), {}],
    ['ran another file', [fileOf('worse', { b: 'passed' })], ended(0), {}],
    ['found no test', [fileOf('bad', {})], ended(0), {}],
    ['could not load the file', [fileOf('bad', null)], ended(1), {}],
    ['ran fewer tests', [fileOf('bad', { b: 'passed' })], ended(0), {}],
    ['ran other tests', [fileOf('bad', { a: 'passed', d: 'passed' })], ended(0), {}],
    ['skipped what had failed', [fileOf('bad', { a: 'passed', b: 'skipped' })], ended(0), {}],
    ['did not come to a test', [fileOf('bad', { a: 'passed', b: 'passed', d: 'not run' })], ended(1), {}],
    ['was killed', [fileOf('bad', { a: 'passed', b: 'passed' })], ended(null, 'SIGKILL'), {}],
    ['crashed', [fileOf('bad', { a: 'passed', b: 'passed' })], ended(1), {}],
    ['left a file', [fileOf('bad', { a: 'passed', b: 'passed' })], ended(0), { unfinished: 1 }],
    ['met an error of no test', [fileOf('bad', { a: 'passed', b: 'passed' })], ended(1), { unhandled: 1 }],
  ])('that %s shows nothing good', (_, files, how, more) => {
    const settled = settle(first, { ...summaryOf(...files), ...more }, how)
    expect(settled).toMatchObject({ isGood: false, unsteady: [] })
    expect(totalsOf({ files: settled.files, unhandled: 0 }).failed).toBe(1)
  })

  test('that left no word shows nothing', () => {
    expect(settle(first, null, ended(1))).toEqual({ files: first.files, unsteady: [], isGood: false })
  })

  test('counts what a file holds that could not be loaded before', () => {
    const broken = fileOf('bad', null)
    const settled = settle(summaryOf(good, broken), summaryOf(fileOf('bad', { a: 'passed', b: 'passed' })), ended(0))
    expect(settled.isGood).toBe(true)
    expect(totalsOf({ files: settled.files, unhandled: 0 })).toEqual({ passed: 3, failed: 0, skipped: 1 })
    const half = settle(summaryOf(good, broken), summaryOf(fileOf('bad', { a: 'passed', b: 'failed' })), ended(1))
    expect(totalsOf({ files: half.files, unhandled: 0 })).toEqual({ passed: 2, failed: 1, skipped: 1 })
  })

  test('of a file whose hooks failed asks for the tests behind them', () => {
    const hook = fileOf('bad', { a: 'not run', b: 'not run' })
    const look = (tests: Parameters<typeof fileOf>[1]) =>
      settle(summaryOf(hook), summaryOf(fileOf('bad', tests)), ended(0))
    expect(look({ a: 'passed' }).isGood).toBe(false)
    expect(look({ a: 'passed', b: 'passed' }).isGood).toBe(true)
  })

  test('takes no test for passed that did not pass, whatever the two looks were like', () => {
    const state = fc.constantFrom('passed', 'failed', 'skipped', 'not run')
    const tests = fc.option(fc.dictionary(fc.constantFrom('a', 'b', 'c'), state), { nil: null })
    const files = fc.uniqueArray(fc.record({ file: fc.constantFrom('x', 'y', 'z'), tests }), {
      selector: (one) => one.file,
    })
    fc.assert(
      fc.property(files, files, fc.constantFrom(0, 1, null), (before, after, code) => {
        const was = summaryOf(...before.map(({ file, tests }) => fileOf(file, tests)))
        const is = summaryOf(...after.map(({ file, tests }) => fileOf(file, tests)))
        const settled = settle(was, is, ended(code))
        for (const old of was.files) {
          const now = settled.files.find(({ file }) => file === old.file)!
          const seen = is.files.find(({ file }) => file === old.file)
          if (old.failed > 0 && now.failed === 0) {
            for (const name of old.toRun) expect(seen!.passedNames).toContain(name)
            expect(seen!.passed).toBeGreaterThan(0)
          }
        }
        if (settled.isGood) {
          expect(code).toBe(0)
          expect(settled.files.filter(({ failed }) => failed > 0)).toEqual([])
        }
      }),
    )
  })
})
