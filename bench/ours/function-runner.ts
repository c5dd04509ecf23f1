import { hostname } from 'node:os'
import type { Orchestration } from '../../src/app/orchestration.ts'
import type { AgentId, RunnerId, TenantId } from '../../src/foundation/kernel/ids.ts'
import type { Database } from '../../src/foundation/platform/database/database.ts'
import { createGit } from '../../src/foundation/platform/git/index.ts'
import { createInlineAdapter, type InlineFunction } from '../../src/orchestration/agents/inline-adapter.ts'
import { noLogs } from '../../src/orchestration/runners/log-sink.ts'
import { Runner } from '../../src/orchestration/runners/runner.ts'
import { Workspaces } from '../../src/orchestration/workspaces/index.ts'
import { pool } from './platform.ts'

export interface FunctionRunnerOptions {
  readonly database: Database
  readonly orchestration: Orchestration
  readonly tenants: readonly TenantId[]
  /** Tasks the agent of each tenant may hold at a time. */
  readonly slots: number
  /** What the agents can do. Default nothing in particular. */
  readonly capabilities?: readonly string[]
  /** What a task does. It is called with its lease committed. */
  readonly perform: InlineFunction
}

/** The product's runner with one agent a tenant, whose tasks are functions of this process. It is not started yet. */
export async function createFunctionRunner(options: FunctionRunnerOptions): Promise<Runner> {
  const { database, orchestration, tenants, slots, perform } = options
  const id = `runner-${process.pid}` as RunnerId
  const adapter = createInlineAdapter({ noop: perform })
  const agents = tenants.map((tenant) => ({
    registration: {
      tenant,
      agentId: `${id}.${tenant}` as AgentId,
      pool,
      kind: 'function',
      capabilities: options.capabilities ?? [],
      labels: {},
      slots,
      weight: 1,
    },
    adapter,
    env: {},
    folders: false,
  }))
  const registration = {
    runnerId: id,
    host: hostname(),
    pid: process.pid,
    agents: agents.map((agent) => agent.registration),
  }
  const now = database.clock.now()
  await database.asSystem('bench').write((tx) => orchestration.runners.register(tx, registration, now))
  return new Runner({
    id,
    port: orchestration.exchange,
    agents,
    workspaces: new Workspaces({ folder: '/nonexistent/leanvibe-bench', git: createGit() }),
    secrets: { read: async (name) => Promise.reject(new Error(`no secret ${name}`)) },
    logs: noLogs,
    clock: database.clock,
    outbox: null,
    onError: (error) => console.error('leanvibe runner:', error),
  })
}
