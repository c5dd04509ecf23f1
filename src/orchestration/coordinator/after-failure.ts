import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { Random } from '../../foundation/kernel/random.ts'
import type { Timer } from '../../foundation/runtime/timers.ts'
import type { AttemptError, AttemptOutcome } from '../runners/exchange-contract.ts'
import type { ResolvedRetry } from '../workflows/task-contract.ts'
import { afterAttempt } from './retry-rules.ts'
import type { TaskChange } from './sql/change-tasks.ts'

/** The end of an attempt that did not succeed. */
export interface FailedAttempt {
  readonly tenant: TenantId
  readonly taskId: string
  readonly fence: number
  readonly outcome: AttemptOutcome
  readonly output: JsonValue
  readonly error: AttemptError | null
  readonly startedAt?: string
  readonly endedAt?: string
  readonly usage?: JsonObject
}

/** What its task says about it. */
export interface FailurePolicy {
  /** Attempts so far, without those lost with their runner. */
  readonly attempt: number
  readonly cancel_reason: string | null
  readonly retry: ResolvedRetry | null
}

/** What becomes of the task: it is cancelled as was asked, waits for another attempt, or has failed for good. */
export function afterFailure(
  ended: FailedAttempt,
  policy: FailurePolicy,
  now: Date,
  random: Random,
): { readonly change: TaskChange; readonly timer: Timer | null } {
  const { tenant, taskId, fence, output, error: given, startedAt = null, endedAt = null, usage = null } = ended
  const base = { tenant, taskId, fence, startedAt, endedAt, usage }
  if (policy.cancel_reason !== null || ended.outcome === 'cancelled') {
    const reason = policy.cancel_reason ?? given?.message ?? 'cancelled by the agent'
    return { change: { ...base, event: 'cancel', to: 'cancelled', reason, outcome: 'cancelled' }, timer: null }
  }
  const outcome = ended.outcome === 'timed-out' ? 'timed-out' : 'failed'
  const error = given === null ? { code: 'failed', message: 'the agent gave no reason' } : { ...given }
  const retryInMs =
    policy.retry === null
      ? null
      : afterAttempt({ outcome, error: given, attempt: policy.attempt }, policy.retry, random).retryInMs
  if (retryInMs !== null) {
    const dueAt = new Date(now.getTime() + retryInMs)
    return {
      change: { ...base, event: 'retry', to: 'waiting', reason: 'back-off', error, outcome },
      timer: { tenant, id: `retry:${taskId}`, kind: 'task-retry', subjectId: taskId, dueAt },
    }
  }
  const final = { ...base, output, error, outcome, reason: error.message } as const
  const change: TaskChange =
    outcome === 'failed' ? { ...final, event: 'fail', to: 'failed' } : { ...final, event: 'time-out', to: 'timed-out' }
  return { change, timer: null }
}
