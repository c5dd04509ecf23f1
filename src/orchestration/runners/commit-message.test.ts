import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SecretMasker } from '../../foundation/platform/secrets/index.ts'
import { commitMessage } from './commit-message.ts'
import type { Assignment } from './exchange-contract.ts'

const masker = new SecretMasker(['s3cret-token'])
const of = (prompt: string, more: object = {}) =>
  commitMessage(
    {
      ...{ runId: 'run_1', taskId: 'task_1', step: 'implement', item: null, attempt: 2 },
      spec: { kind: 'agent', prompt },
      ...more,
    } as unknown as Assignment,
    masker,
  )
const origin = 'implement: attempt 2 of task_1 in run_1'

test('begins with the task, not with the persona before it, and says where it comes from', () => {
  expect(of('Add an export as CSV.\n\nWith tests.')).toBe(`Add an export as CSV.\n\n${origin}`)
  const whole = 'You are the backend persona.\n\n# Where you work\n\n- here\n\n# Your task\n\n\n## Add export\nmore'
  expect(of(whole)).toBe(`Add export\n\n${origin}`)
  expect(of(`Use s3cret-token ${'x'.repeat(80)}`).split('\n')[0]).toMatch(/^Use \*\*\* x{63}…$/)
})

test('of a command it is where it comes from', () => {
  expect(of('', { spec: { kind: 'command', argv: ['make'] }, item: 3 })).toBe(
    'implement[3]: attempt 2 of task_1 in run_1',
  )
  expect(of('\n--\n')).toBe(origin)
})

test('whatever the task is, the first line is short and plain, and the origin is the last', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (prompt) => {
      const lines = of(prompt).split('\n')
      expect(lines.at(-1)).toBe(origin)
      expect([...lines[0]!].length).toBeLessThanOrEqual(72)
      expect(lines[0]).not.toMatch(/[\u0000-\u001f\u007f]/)
      expect([1, 3]).toContain(lines.length)
    }),
  )
})
