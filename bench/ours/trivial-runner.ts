import type { Orchestration } from '../../src/app/orchestration.ts'
import type { AgentId, RunnerId, TenantId } from '../../src/foundation/kernel/ids.ts'
import type { Database } from '../../src/foundation/platform/database/database.ts'
import type { Assignment, AttemptReport } from '../../src/orchestration/runners/exchange-contract.ts'
import { sharedClock } from '../harness/worker-process.ts'
import { pool } from './platform.ts'

export interface TrivialRunnerOptions {
  readonly database: Database
  readonly orchestration: Orchestration
  readonly tenants: readonly TenantId[]
  /** How many runners, each with an agent per tenant, work side by side in this process. */
  readonly runners: number
  readonly slots: number
}

/** Runners that do nothing with their tasks but report them done, over the exchange that all runners use. */
export async function registerTrivialRunners(options: TrivialRunnerOptions): Promise<readonly RunnerId[]> {
  const { database, orchestration, tenants, runners, slots } = options
  const ids = Array.from({ length: runners }, (_, n) => `runner-${n}` as RunnerId)
  for (const runnerId of ids) {
    const agents = tenants.map((tenant) => ({
      tenant,
      agentId: `agent-${runnerId}-${tenant}` as AgentId,
      pool,
      kind: 'bench',
      capabilities: [],
      labels: {},
      slots,
      weight: 1,
    }))
    const registration = { runnerId, host: 'bench', pid: process.pid, agents }
    const now = database.clock.now()
    await database.asSystem('bench').write((tx) => orchestration.runners.register(tx, registration, now))
  }
  return ids
}

/** Works until `tasks` completions are acknowledged; returns the seconds that took. */
export async function drainTrivially(
  options: TrivialRunnerOptions,
  ids: readonly RunnerId[],
  tasks: number,
): Promise<number> {
  const started = sharedClock()
  let done = 0
  const { signal } = new AbortController()
  const loop = async (runnerId: RunnerId) => {
    let reports: AttemptReport[] = []
    while (done < tasks) {
      const request = { runnerId, reports, progress: [], holding: [], accept: true }
      const { assignments } = await options.orchestration.exchange.exchange(request, signal)
      done += reports.length
      reports = assignments.map((assignment) => report(assignment, options.database.clock.now()))
      if (reports.length === 0 && done < tasks) await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  await Promise.all(ids.map(loop))
  return Number(sharedClock() - started) / 1e9
}

function report(assignment: Assignment, now: Date): AttemptReport {
  const at = now.toISOString()
  return {
    tenant: assignment.tenant,
    taskId: assignment.taskId,
    fence: assignment.fence,
    outcome: 'succeeded',
    startedAt: at,
    endedAt: at,
    output: { ok: true },
    error: null,
    usage: { cpuSeconds: null, maxRssBytes: null, wallSeconds: 0 },
    artifacts: [],
    workspaceCommit: null,
  }
}
