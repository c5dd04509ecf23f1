import type { AgentId, RunnerId, TenantId } from '../../src/foundation/kernel/ids.ts'
import type { JsonObject, JsonValue } from '../../src/foundation/kernel/json.ts'
import type {
  Assignment,
  AttemptReport,
  ExchangeReply,
  ProgressReport,
} from '../../src/orchestration/runners/exchange-contract.ts'
import type { RunRow } from '../../src/orchestration/runs/run-rows.ts'
import type { TestPlatform } from './platform.ts'

/** What a test's worker answers: an output, a failure, or the end it was asked for. */
export type Answer =
  | { readonly output: JsonValue; readonly cpuSeconds?: number; readonly wallSeconds?: number }
  | { readonly code: string; readonly exitCode?: number; readonly retry?: 'never' | 'later' }
  | { readonly cancelled: true }

export interface WorkerOptions {
  readonly pool?: string
  readonly slots?: number
  readonly capabilities?: readonly string[]
  /** Labels, region, taints and resources, as registrations carry them. */
  readonly labels?: JsonObject
  readonly tenant?: TenantId
}

export interface ExchangeOptions {
  readonly progress?: readonly ProgressReport[]
  /** Default: all that it holds and does not report now. */
  readonly holding?: readonly Assignment[]
  readonly accept?: boolean
  /** Whether what it holds is compared with the record, as runners have it every 2 s. Default: yes. */
  readonly reconcile?: boolean
}

/** A runner without processes: a test takes its leases and reports their ends, over the real exchange. */
export class TestWorker {
  readonly runnerId: RunnerId
  /** Leases it has and has not reported, by fence. */
  readonly held = new Map<number, Assignment>()
  readonly #platform: TestPlatform
  readonly #options: WorkerOptions

  constructor(platform: TestPlatform, runnerId: RunnerId, options: WorkerOptions) {
    this.#platform = platform
    this.runnerId = runnerId
    this.#options = options
  }

  get agentId(): AgentId {
    return `${this.runnerId}/a` as AgentId
  }

  async register(): Promise<void> {
    const {
      pool = 'default',
      slots = 10,
      capabilities = [],
      labels = {},
      tenant = 'default' as TenantId,
    } = this.#options
    const { parts, database } = this.#platform
    const agent = { tenant, agentId: this.agentId, pool, kind: 'command', capabilities, labels, slots, weight: 1 }
    const registration = { runnerId: this.runnerId, host: 'here', pid: process.pid, agents: [agent] }
    await database.asSystem('test').write((tx) => parts.runners.register(tx, registration, database.clock.now()))
  }

  /** One exchange in which the worker's leases are compared with what it holds, as after a hint. */
  async exchange(reports: readonly AttemptReport[] = [], options: ExchangeOptions = {}): Promise<ExchangeReply> {
    const { exchange } = this.#platform.parts
    const reported = new Set(reports.map((report) => report.fence))
    const {
      progress = [],
      holding = [...this.held.values()].filter((lease) => !reported.has(lease.fence)),
      accept = true,
      reconcile = true,
    } = options
    if (reconcile) exchange.forget(this.runnerId)
    const reply = await exchange.exchange(
      { runnerId: this.runnerId, reports, progress, holding, accept },
      new AbortController().signal,
    )
    for (const fence of reported) this.held.delete(fence)
    for (const lease of reply.revoked) this.held.delete(lease.fence)
    for (const lease of reply.assignments) this.held.set(lease.fence, lease)
    return reply
  }

  /** Takes what there is, without reporting anything. Returns all it now holds. */
  async take(): Promise<readonly Assignment[]> {
    await this.exchange()
    return [...this.held.values()]
  }

  finish(assignments: readonly Assignment[], answer: (assignment: Assignment) => Answer): Promise<ExchangeReply> {
    return this.exchange(assignments.map((assignment) => this.report(assignment, answer(assignment))))
  }

  /** Works until the run has ended or nothing is left to do, at most `rounds` exchanges. */
  async workOn(runId: string, answer: (assignment: Assignment) => Answer, rounds = 50): Promise<RunRow> {
    await this.exchange()
    for (let round = 0; round < rounds; round++) {
      const run = await this.#platform.run(runId, this.#options.tenant)
      if (run.endedAt !== null || this.held.size === 0) return run
      await this.finish([...this.held.values()], answer)
    }
    throw new Error(`run ${runId} was not done after ${rounds} rounds`)
  }

  progressOf(assignment: Assignment): ProgressReport {
    const { tenant, taskId, fence } = assignment
    return { tenant, taskId, fence, at: this.#platform.database.clock.now().toISOString() }
  }

  report(assignment: Assignment, answer: Answer): AttemptReport {
    const now = this.#platform.database.clock.now().toISOString()
    const base = {
      tenant: assignment.tenant,
      taskId: assignment.taskId,
      fence: assignment.fence,
      startedAt: now,
      endedAt: now,
      usage: { cpuSeconds: 0.01, maxRssBytes: 1_000_000, wallSeconds: 0.02 },
      artifacts: [],
      workspaceCommit: null,
    }
    if ('output' in answer) {
      const { output, cpuSeconds = 0.01, wallSeconds = 0.02 } = answer
      const usage = { ...base.usage, cpuSeconds, wallSeconds }
      return { ...base, usage, outcome: 'succeeded', output, error: null }
    }
    if ('cancelled' in answer) {
      const error = { code: 'cancelled', message: 'ended as it was asked', retry: 'never' } as const
      return { ...base, outcome: 'cancelled', output: null, error }
    }
    const error = {
      code: answer.code,
      message: `failed with ${answer.code}`,
      retry: answer.retry ?? ('never' as const),
      ...(answer.exitCode === undefined ? {} : { exitCode: answer.exitCode }),
    }
    return { ...base, outcome: answer.code === 'timeout' ? 'timed-out' : 'failed', output: null, error }
  }
}
