import { expect, test } from 'vitest'
import { AppError, defineErrors, exitCodeOf, httpStatusOf, isAppError, listErrors, messageOf } from './errors.ts'

const errors = defineErrors({
  'kernel-test-late': { kind: 'unavailable', retry: 'later', when: 'a test says so', next: 'wait for the test' },
  'kernel-test-early': { kind: 'conflict', retry: 'never', when: 'a test says so', next: 'do nothing' },
})

test('an error carries the decisions of its definition', () => {
  const cause = new Error('the reason')
  const error = errors['kernel-test-late']('it is late', { details: { minutes: 5 }, cause })
  expect(error).toBeInstanceOf(AppError)
  expect(error).toMatchObject({
    name: 'AppError',
    code: 'kernel-test-late',
    kind: 'unavailable',
    retry: 'later',
    next: 'wait for the test',
    message: 'it is late',
    details: { minutes: 5 },
    cause,
  })
})

test('an error without a cause has no property of that name, and empty details', () => {
  const error = errors['kernel-test-early']('too soon')
  expect('cause' in error).toBe(false)
  expect(error.details).toEqual({})
})

test('a code cannot be defined twice', () => {
  const again = () =>
    defineErrors({ 'kernel-test-late': { kind: 'input', retry: 'never', when: 'again', next: 'rename it' } })
  expect(again).toThrow('error code kernel-test-late is defined twice')
})

test('the list is complete and sorted by code', () => {
  const codes = listErrors().map(([code]) => code)
  expect(codes).toEqual(expect.arrayContaining(['kernel-test-early', 'kernel-test-late']))
  expect(codes).toEqual([...codes].sort())
})

test('an error is told from others, and by its code', () => {
  const error = errors['kernel-test-early']('too soon')
  expect(isAppError(error)).toBe(true)
  expect(isAppError(error, 'kernel-test-early')).toBe(true)
  expect(isAppError(error, 'kernel-test-late')).toBe(false)
  expect(isAppError(new Error('other'))).toBe(false)
  expect(isAppError(null)).toBe(false)
})

test('every kind has a status of its class and an exit code that is not success', () => {
  expect(Object.keys(httpStatusOf).sort()).toEqual(Object.keys(exitCodeOf).sort())
  for (const [kind, status] of Object.entries(httpStatusOf)) {
    const ours = kind === 'internal' || kind === 'unavailable'
    expect(Math.floor(status / 100)).toBe(ours ? 5 : 4)
  }
  for (const code of Object.values(exitCodeOf)) {
    expect(code).toBeGreaterThanOrEqual(64)
    expect(code).toBeLessThanOrEqual(78)
  }
})

test('anything thrown has words', () => {
  expect(messageOf(new Error('words'))).toBe('words')
  expect(messageOf('thrown text')).toBe('thrown text')
  expect(messageOf(undefined)).toBe('undefined')
})
