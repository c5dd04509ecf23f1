import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { taskRange } from './task-ids-contract.ts'

/** What is on record of a task, beside what it was to do. */
export interface TaskRecord {
  readonly id: string
  readonly step: string
  readonly item: number | null
  readonly state: string
  readonly reason: string | null
  readonly pool: string
  readonly agentId: string | null
  readonly attempt: number
  readonly fence: number
  readonly output: JsonValue
  readonly error: { readonly code: string; readonly message: string } | null
  readonly commit: string | null
  readonly usage: JsonObject | null
  readonly wallMs: number | null
  readonly cpuMs: number | null
  readonly maxRss: number | null
  readonly createdAt: Date
  readonly startedAt: Date | null
  readonly endedAt: Date | null
}

export interface FormerAttempt {
  readonly attempt: number
  readonly outcome: string
  readonly agentId: string | null
  readonly error: { readonly code: string; readonly message: string } | null
  readonly usage: JsonObject | null
  readonly startedAt: Date | null
  readonly endedAt: Date
}

/** Of one task, or of those of a run; in the order of steps and items, at most 10,000. */
export async function readTaskRecords(
  tx: ReadTx,
  tenant: TenantId,
  of: { readonly runId: string } | { readonly taskId: string },
): Promise<readonly TaskRecord[]> {
  const range = taskRange('runId' in of ? of.runId : '')
  const wanted = 'runId' in of ? sql`id >= ${range.from} and id < ${range.to}` : sql`id = ${of.taskId}`
  const rows = await tx.query<TaskRecord>(sql`
    select id, step, item, state, reason, pool, agent_id as "agentId", attempt, fence, output, error, workspace_commit as commit,
      usage, wall_ms as "wallMs", cpu_ms as "cpuMs", max_rss as "maxRss", created_at as "createdAt",
      coalesce(started_at, leased_at) as "startedAt", ended_at as "endedAt"
    from tasks where tenant_id = ${tenant} and ${wanted} order by step, item nulls first, id limit 10000`)
  return rows.map((row) => ({
    ...row,
    fence: Number(row.fence),
    maxRss: row.maxRss === null ? null : Number(row.maxRss),
  }))
}

/** Attempts of a task that ended without success, in order. */
export async function readFormerAttempts(
  tx: ReadTx,
  tenant: TenantId,
  taskId: string,
): Promise<readonly FormerAttempt[]> {
  return tx.query<FormerAttempt>(sql`
    select attempt, outcome, agent_id as "agentId", error, usage, started_at as "startedAt", ended_at as "endedAt"
    from past_attempts where tenant_id = ${tenant} and task_id = ${taskId} order by fence`)
}
