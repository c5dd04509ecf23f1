import { createOrchestration, type Orchestration } from '../../src/app/orchestration.ts'
import { type RunnerId, systemIds, type TenantId } from '../../src/foundation/kernel/ids.ts'
import type { JsonValue } from '../../src/foundation/kernel/json.ts'
import type { Database } from '../../src/foundation/platform/database/database.ts'
import type { Assignment, AttemptReport } from '../../src/orchestration/runners/exchange-contract.ts'
import type { RunRow } from '../../src/orchestration/runs/run-rows.ts'
import { findRun } from '../../src/orchestration/runs/runs-store.ts'

export const tenant = 'default' as TenantId

/** What a test's worker answers: an output, or a failure. */
export type Answer =
  | { readonly output: JsonValue }
  | { readonly code: string; readonly exitCode?: number; readonly retry?: 'never' | 'later' }

/** The real parts on a database, with a worker that is driven by hand over the real exchange. */
export class TestPlatform {
  readonly parts: Orchestration
  readonly errors: unknown[] = []
  readonly runnerId = systemIds.next<RunnerId>('rnr')
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
    this.parts = createOrchestration({
      database,
      definitions: { find: async () => null },
      choosePool: () => 'default',
      onError: (error) => this.errors.push(error),
    })
  }

  /** Announces the worker with one agent of the default pool. */
  async register(slots = 10, capabilities: readonly string[] = []): Promise<void> {
    const agent = {
      tenant,
      agentId: `${this.runnerId}/a` as never,
      pool: 'default',
      kind: 'command',
      capabilities,
      labels: {},
      slots,
      weight: 1,
    }
    const registration = { runnerId: this.runnerId, host: 'here', pid: process.pid, agents: [agent] }
    await this.#database
      .asSystem('test')
      .write((tx) => this.parts.runners.register(tx, registration, this.#database.clock.now()))
  }

  start(text: string, inputs: Record<string, JsonValue> = {}): Promise<RunRow> {
    return this.parts.runs.start(tenant, {
      what: { text, fileName: 'test.yaml' },
      inputs,
      repo: null,
      priority: null,
      parallel: null,
      labels: {},
    })
  }

  async run(id: string): Promise<RunRow> {
    const run = await this.#database.forTenant(tenant).read((tx) => findRun(tx, tenant, id))
    if (run === null) throw new Error(`no run ${id}`)
    return run
  }

  /** Works until the run has ended or nothing is left to do, at most `rounds` exchanges. */
  async work(runId: string, answer: (assignment: Assignment) => Answer, rounds = 50): Promise<RunRow> {
    let reports: AttemptReport[] = []
    for (let round = 0; round < rounds; round++) {
      const reply = await this.exchange(reports)
      reports = reply.assignments.map((assignment) => this.report(assignment, answer(assignment)))
      const run = await this.run(runId)
      if (run.endedAt !== null || (reports.length === 0 && round > 2)) return run
    }
    throw new Error(`run ${runId} was not done after ${rounds} rounds`)
  }

  exchange(reports: readonly AttemptReport[], holding: readonly Assignment[] = []) {
    const request = { runnerId: this.runnerId, reports, progress: [], holding, accept: true }
    return this.parts.exchange.exchange(request, new AbortController().signal)
  }

  report(assignment: Assignment, answer: Answer): AttemptReport {
    const now = this.#database.clock.now().toISOString()
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
    if ('output' in answer) return { ...base, outcome: 'succeeded', output: answer.output, error: null }
    const error = {
      code: answer.code,
      message: `failed with ${answer.code}`,
      retry: answer.retry ?? ('never' as const),
      ...(answer.exitCode === undefined ? {} : { exitCode: answer.exitCode }),
    }
    return { ...base, outcome: answer.code === 'timeout' ? 'timed-out' : 'failed', output: null, error }
  }
}
