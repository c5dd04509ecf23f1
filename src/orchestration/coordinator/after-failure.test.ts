import { expect, test } from 'vitest'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import { seededRandom } from '../../foundation/kernel/random.ts'
import { afterFailure, type FailedAttempt, type FailurePolicy } from './after-failure.ts'

const now = new Date('2026-11-23T00:00:00Z')
const tenant = 'default' as TenantId
const retry = { attempts: 3, backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: 0 } }

function after(ended: Partial<FailedAttempt>, policy: Partial<FailurePolicy> = {}) {
  const attempt: FailedAttempt = {
    ...{ tenant, taskId: 'task_1', fence: 7, outcome: 'failed', output: { log: 'x' } },
    error: { code: 'exit-code', message: 'exited with 1', retry: 'later' },
    ...ended,
  }
  return afterFailure(attempt, { attempt: 1, cancel_reason: null, retry: null, ...policy }, now, seededRandom(1))
}

test('without a policy a failure is final, and says why', () => {
  const { change, timer } = after({ startedAt: 'a', endedAt: 'b', usage: { wallSeconds: 1 } })
  expect(timer).toBe(null)
  expect(change).toEqual({
    ...{
      tenant,
      taskId: 'task_1',
      fence: 7,
      startedAt: 'a',
      endedAt: 'b',
      usage: { wallSeconds: 1 },
      output: { log: 'x' },
    },
    ...{ event: 'fail', to: 'failed', outcome: 'failed', reason: 'exited with 1' },
    error: { code: 'exit-code', message: 'exited with 1', retry: 'later' },
  })
})

test('a timeout stays one', () => {
  const error = { code: 'timeout', message: 'too long', retry: 'later' } as const
  expect(after({ outcome: 'timed-out', error }).change).toMatchObject({
    event: 'time-out',
    to: 'timed-out',
    outcome: 'timed-out',
    reason: 'too long',
  })
})

test('an agent that gives no reason still leaves one', () => {
  expect(after({ error: null }).change).toMatchObject({
    to: 'failed',
    error: { code: 'failed', message: 'the agent gave no reason' },
  })
})

test('another attempt follows after the pause, until there are none left', () => {
  const first = after({}, { retry, attempt: 2 })
  expect(first.change).toMatchObject({ event: 'retry', to: 'waiting', reason: 'back-off', outcome: 'failed' })
  expect(first.change.output).toBe(undefined)
  expect(first.timer).toEqual({
    ...{ tenant, id: 'retry:task_1', kind: 'task-retry', subjectId: 'task_1' },
    dueAt: new Date('2026-11-23T00:00:02Z'),
  })
  expect(after({}, { retry, attempt: 3 })).toMatchObject({ change: { to: 'failed' }, timer: null })
})

test.each(['failed', 'timed-out', 'cancelled'] as const)(
  'an attempt that was to be cancelled is cancelled, though it %s',
  (outcome) => {
    const { change, timer } = after({ outcome }, { cancel_reason: 'no longer needed', retry })
    expect(change).toMatchObject({ event: 'cancel', to: 'cancelled', outcome: 'cancelled', reason: 'no longer needed' })
    expect(timer).toBe(null)
  },
)

test('one that was cancelled without being asked is not tried again', () => {
  expect(after({ outcome: 'cancelled' }, { retry }).change).toMatchObject({ to: 'cancelled', reason: 'exited with 1' })
  expect(after({ outcome: 'cancelled', error: null }, { retry }).change).toMatchObject({
    reason: 'cancelled by the agent',
  })
})
