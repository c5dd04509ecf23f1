import type { Clock } from '../../foundation/kernel/clock.ts'
import { failpoint } from '../../foundation/kernel/failpoints.ts'
import type { TaskId } from '../../foundation/kernel/ids.ts'
import { Attempt, type EndReason } from './attempt.ts'
import { agentErrors, attemptErrorOf } from './attempt-errors-contract.ts'
import type { Assignment, AttemptReport, ProgressReport } from './exchange-contract.ts'
import type { HostedAgent } from './hosted-agent.ts'
import { type AttemptServices, abandonedReport, performAttempt, unstartedReport } from './perform-attempt.ts'

export interface AttemptsAtWorkOptions {
  /** The agents that live here, by id. */
  readonly agents: ReadonlyMap<string, HostedAgent>
  readonly services: AttemptServices
  readonly clock: Clock
  /** Milliseconds between progress reports of one attempt. */
  readonly progressMs: number
  /** Milliseconds until work inside this process that ignores its end is given up. */
  readonly abandonMs: number
  /** An attempt has ended, with what is to be told of it; null: nothing, the lease is or will be another's. */
  readonly onEnd: (report: AttemptReport | null) => void
}

/** The leases that a runner works on, from their beginning to their end. */
export class AttemptsAtWork {
  readonly #options: AttemptsAtWorkOptions
  readonly #attempts = new Map<number, Attempt>()
  #progressDue = false

  constructor(options: AttemptsAtWorkOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#attempts.size
  }

  /** One of them has moved, and it is time to say so. */
  get progressDue(): boolean {
    return this.#progressDue
  }

  has(fence: number): boolean {
    return this.#attempts.has(fence)
  }

  isBusy(agentId: string): boolean {
    for (const { assignment } of this.#attempts.values()) if (assignment.agentId === agentId) return true
    return false
  }

  /** With a reason to cancel it ends before it begins. */
  begin(assignment: Assignment, cancelReason: string | undefined): void {
    const { agents, services, clock } = this.#options
    const attempt = new Attempt(assignment)
    const agent = agents.get(assignment.agentId)
    this.#attempts.set(assignment.fence, attempt)
    if (cancelReason !== undefined) {
      attempt.end('cancelled', cancelReason)
      this.#finish(attempt, unstartedReport(attempt, attemptErrorOf(agentErrors.cancelled(cancelReason)), clock))
      return
    }
    if (agent === undefined) {
      const error = agentErrors['agent-mismatch'](`the agent ${assignment.agentId} is not on this runner`)
      this.#finish(attempt, unstartedReport(attempt, attemptErrorOf(error), clock))
      return
    }
    attempt.timeoutMs = timeoutOf(assignment, agent)
    attempt.deadline = clock.monotonic() + attempt.timeoutMs
    failpoint('attempt.before')
    performAttempt(attempt, agent, services).then(
      (report) => this.#finish(attempt, report),
      (error) => {
        services.onError(error, assignment)
        this.#finish(attempt, unstartedReport(attempt, attemptErrorOf(error), clock))
      },
    )
  }

  /** The lease was lost: the work ends, and nothing is told of it. */
  revoke(fence: number): void {
    const attempt = this.#attempts.get(fence)
    if (attempt !== undefined) this.#end(attempt, 'revoked', 'the lease was lost')
  }

  cancel(fence: number, reason: string): void {
    const attempt = this.#attempts.get(fence)
    if (attempt !== undefined && attempt.ending === null) this.#end(attempt, 'cancelled', reason)
  }

  stopAll(text: string): void {
    for (const attempt of this.#attempts.values()) attempt.end('stopped', text)
  }

  /** Ends what is past its time, and gives up what was told to end and did not. */
  watch(now: number): void {
    const { clock, progressMs } = this.#options
    for (const attempt of this.#attempts.values()) {
      if (now >= attempt.deadline) {
        attempt.deadline = Number.POSITIVE_INFINITY
        this.#end(attempt, 'timeout', `it took longer than ${attempt.timeoutMs} ms`)
      }
      if (now >= attempt.abandonAt) this.#finish(attempt, abandonedReport(attempt, clock))
      if (attempt.moved && now - attempt.reportedAt >= progressMs) this.#progressDue = true
    }
  }

  takeProgress(now: number): readonly ProgressReport[] {
    if (!this.#progressDue) return []
    this.#progressDue = false
    const { clock, progressMs } = this.#options
    const at = clock.now().toISOString()
    const reports: ProgressReport[] = []
    for (const attempt of this.#attempts.values()) {
      if (!attempt.moved || now - attempt.reportedAt < progressMs) continue
      const { tenant, taskId, fence } = attempt.assignment
      reports.push({ tenant, taskId, fence, at, ...(attempt.note === undefined ? {} : { note: attempt.note }) })
      attempt.moved = false
      attempt.note = undefined
      attempt.reportedAt = now
    }
    return reports
  }

  /** What was told of its progress did not arrive. */
  markMoved(fence: number): void {
    const attempt = this.#attempts.get(fence)
    if (attempt === undefined) return
    attempt.moved = true
    attempt.reportedAt = Number.NEGATIVE_INFINITY
  }

  leases(): { taskId: TaskId; fence: number }[] {
    const leases: { taskId: TaskId; fence: number }[] = []
    for (const { assignment } of this.#attempts.values()) {
      leases.push({ taskId: assignment.taskId, fence: assignment.fence })
    }
    return leases
  }

  #end(attempt: Attempt, reason: EndReason, text: string): void {
    attempt.end(reason, text)
    attempt.abandonAt = this.#options.clock.monotonic() + this.#options.abandonMs
  }

  #finish(attempt: Attempt, report: AttemptReport): void {
    const { fence } = attempt.assignment
    // It was given up before.
    if (this.#attempts.get(fence) !== attempt) return
    this.#attempts.delete(fence)
    const unwanted = attempt.ending === 'revoked' || (attempt.ending === 'stopped' && report.outcome !== 'succeeded')
    this.#options.onEnd(unwanted ? null : report)
  }
}

/** Milliseconds; infinite where neither the step nor the pool sets a limit. */
function timeoutOf({ spec }: Assignment, agent: HostedAgent): number {
  const ofPool = spec.kind === 'agent' ? agent.promptTimeoutMs : null
  return Math.min(spec.timeoutMs ?? Number.POSITIVE_INFINITY, ofPool ?? Number.POSITIVE_INFINITY)
}
