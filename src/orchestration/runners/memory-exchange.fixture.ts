import type { AgentId, RunId, RunnerId, TaskId, TenantId } from '../../foundation/kernel/ids.ts'
import type { ResolvedTask } from '../workflows/task-contract.ts'
import type {
  AgentRegistration,
  Assignment,
  AttemptReport,
  ExchangePort,
  ExchangeReply,
  ExchangeRequest,
  ProgressReport,
} from './exchange-contract.ts'

interface Entry {
  readonly assignment: Assignment
  agentId: AgentId | null
  cancelReason: string | null
  report: AttemptReport | null
}

/** A coordinator in memory that keeps the contract: slots, growing fences, redelivery of what is not held, revocations. For tests. */
export class MemoryExchange implements ExchangePort {
  readonly tenant = 'default' as TenantId
  readonly accepted: AttemptReport[] = []
  /** Reports whose lease was no longer current. */
  readonly refused: AttemptReport[] = []
  readonly progress: ProgressReport[] = []
  readonly requests: { reports: number; holding: number; accept: boolean }[] = []
  /** Thrown by the next calls; before the request is taken, or after, as when an answer is lost on its way. */
  failure: { readonly error: Error; readonly when: 'before' | 'after' } | null = null
  /** Runs inside each call, after its request was taken. */
  pause: (() => Promise<void>) | null = null
  readonly #agents: readonly AgentRegistration[]
  readonly #prefix: string
  readonly #used = new Map<AgentId, number>()
  readonly #leased = new Map<number, Entry>()
  #ready: Entry[] = []
  #wake: (() => void) | null = null
  #fence = 0
  #tasks = 0
  #waiting: { count: number; resolve: () => void }[] = []

  /** @param prefix of the ids of tasks: processes are found by them, so tests that end or look for some have their own. */
  constructor(agents: readonly AgentRegistration[], prefix = 'tsk') {
    this.#agents = agents
    this.#prefix = prefix
  }

  /** Adds a task for any agent; resolves nothing: see `settled`. */
  enqueue(spec: ResolvedTask, more: Partial<Assignment> = {}): TaskId {
    this.#tasks += 1
    const taskId = `${this.#prefix}_${this.#tasks}` as TaskId
    const assignment: Assignment = {
      tenant: this.tenant,
      runId: 'run_1' as RunId,
      taskId,
      step: spec.stepId,
      item: null,
      attempt: 1,
      fence: 0,
      agentId: '' as AgentId,
      spec,
      repo: null,
      ...more,
    }
    this.#ready.push({ assignment, agentId: null, cancelReason: null, report: null })
    this.#wake?.()
    return taskId
  }

  cancel(taskId: TaskId, reason: string): void {
    const entry = this.#leaseOf(taskId)
    if (entry !== undefined) entry.cancelReason = reason
    this.#wake?.()
  }

  /** Takes the lease away, as a reaper does, and gives the task back to the queue unless told otherwise. */
  revoke(taskId: TaskId, requeue = true): void {
    const entry = this.#leaseOf(taskId)
    if (entry === undefined) return
    this.#release(entry)
    if (requeue) {
      const attempt = entry.assignment.attempt + 1
      this.#ready.push({ ...entry, assignment: { ...entry.assignment, attempt }, agentId: null })
    }
    this.#wake?.()
  }

  /** Resolves when this many reports were accepted in all. */
  settled(count: number): Promise<void> {
    if (this.accepted.length >= count) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ count, resolve }))
  }

  reportOf(taskId: TaskId): AttemptReport | undefined {
    return this.accepted.findLast((report) => report.taskId === taskId)
  }

  get leases(): number {
    return this.#leased.size
  }

  onHint(_runnerId: RunnerId, wake: () => void): () => void {
    this.#wake = wake
    return () => {
      this.#wake = null
    }
  }

  async exchange(request: ExchangeRequest, signal: AbortSignal): Promise<ExchangeReply> {
    signal.throwIfAborted()
    const { failure } = this
    if (failure?.when === 'before') throw failure.error
    this.requests.push({ reports: request.reports.length, holding: request.holding.length, accept: request.accept })
    this.progress.push(...request.progress)
    for (const report of request.reports) this.#takeReport(report)
    const reply = this.#reply(request)
    await this.pause?.()
    if (failure?.when === 'after') throw failure.error
    this.#waiting = this.#waiting.filter(({ count, resolve }) => {
      if (this.accepted.length < count) return true
      resolve()
      return false
    })
    return reply
  }

  #takeReport(report: AttemptReport): void {
    const entry = this.#leased.get(report.fence)
    if (entry === undefined) {
      this.refused.push(report)
      return
    }
    entry.report = report
    this.#release(entry)
    this.accepted.push(report)
  }

  #reply(request: ExchangeRequest): ExchangeReply {
    const held = new Set(request.holding.map((one) => one.fence))
    const assignments: Assignment[] = []
    const cancels: { taskId: TaskId; fence: number; reason: string }[] = []
    for (const { assignment, cancelReason } of this.#leased.values()) {
      const { taskId, fence } = assignment
      if (!held.has(fence)) assignments.push(assignment)
      if (cancelReason !== null) cancels.push({ taskId, fence, reason: cancelReason })
    }
    if (request.accept) assignments.push(...this.#assign())
    return { assignments, cancels, revoked: request.holding.filter((one) => !this.#leased.has(one.fence)) }
  }

  #assign(): Assignment[] {
    const assigned: Assignment[] = []
    for (const { agentId, slots } of this.#agents) {
      const free = Math.min(slots - (this.#used.get(agentId) ?? 0), this.#ready.length)
      if (free <= 0) continue
      this.#used.set(agentId, (this.#used.get(agentId) ?? 0) + free)
      for (const entry of this.#ready.splice(0, free)) {
        this.#fence += 1
        const assignment = { ...entry.assignment, agentId, fence: this.#fence }
        this.#leased.set(this.#fence, { ...entry, assignment, agentId })
        assigned.push(assignment)
      }
    }
    return assigned
  }

  #release(entry: Entry): void {
    this.#leased.delete(entry.assignment.fence)
    if (entry.agentId !== null) this.#used.set(entry.agentId, (this.#used.get(entry.agentId) ?? 0) - 1)
  }

  #leaseOf(taskId: TaskId): Entry | undefined {
    return [...this.#leased.values()].find((entry) => entry.assignment.taskId === taskId)
  }
}
