import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../foundation/platform/database/sql.ts'
import type { PagePlace } from '../../foundation/platform/http/page.ts'
import type { LeasedNote } from './tool-call-notes.ts'
import type { ToolCallState, ToolCallView, ToolUse } from './tool-calls-contract.ts'

/** Names a call: the lease under which it was made, and its number there. */
export function toolCallId({ fence, n }: Pick<LeasedNote, 'fence' | 'n'>): string {
  return `call_${fence}_${n}`
}

/**
 * Keeps one note for each call, in the order of their ids. Resolves to what has changed by it: a call that was not known,
 * and one that was under way and has ended. Everything else has been told before.
 */
export async function putToolCalls(
  tx: Tx,
  tenant: TenantId,
  notes: readonly LeasedNote[],
): Promise<ReadonlyMap<string, 'new' | 'ended'>> {
  const rows = await tx.query<{ id: string; isNew: boolean }>(sql`
    insert into tool_calls as c (tenant_id, id, run_id, task_id, step, item, attempt, source, tool, kind, title, state, calls,
      failed, refused, started_at, duration_ms)
    select ${tenant}, id, run_id, task_id, step, item, attempt, source, tool, kind, title, state, calls, failed, refused,
      started_at, duration_ms
    from unnest(${notes.map(toolCallId)}::text[], ${notes.map((n) => n.runId)}::text[], ${notes.map((n) => n.taskId)}::text[],
      ${notes.map((n) => n.step)}::text[], ${notes.map((n) => n.item)}::int[], ${notes.map((n) => n.attempt)}::int[],
      ${notes.map((n) => n.source)}::text[], ${notes.map((n) => n.tool)}::text[], ${notes.map((n) => n.kind)}::text[],
      ${notes.map((n) => n.title)}::text[], ${notes.map((n) => n.state)}::text[], ${notes.map((n) => n.calls)}::int[],
      ${notes.map((n) => n.failed)}::int[], ${notes.map((n) => n.refused)}::int[],
      ${notes.map((n) => new Date(n.startedAt))}::timestamptz[], ${notes.map((n) => n.durationMs)}::int[])
      as i(id, run_id, task_id, step, item, attempt, source, tool, kind, title, state, calls, failed, refused, started_at, duration_ms)
    order by id collate "C"
    on conflict (tenant_id, id) do update
      set state = excluded.state, failed = excluded.failed, refused = excluded.refused, duration_ms = excluded.duration_ms
      where c.state = 'started' and excluded.state not in ('started', 'gathered')
    returning id, xmax = 0 as "isNew"`)
  return new Map(rows.map(({ id, isNew }) => [id, isNew ? 'new' : 'ended']))
}

const columns: Query = sql`id, run_id as "runId", task_id as "taskId", step, item, attempt, source, tool, kind, title, state, calls,
  failed, refused, started_at as "startedAt", duration_ms as "durationMs"`

export interface ToolCallFilter {
  readonly run: string
  readonly step?: string | undefined
  readonly task?: string | undefined
  readonly before: PagePlace | null
  readonly limit: number
}

/** Newest first, before the given place. */
export async function listToolCalls(
  tx: ReadTx,
  tenant: TenantId,
  { run, step, task, before, limit }: ToolCallFilter,
): Promise<readonly ToolCallView[]> {
  const rows = await tx.query<ToolCallRow>(sql`
    select ${columns} from tool_calls
    where tenant_id = ${tenant} and run_id = ${run} and (${step ?? null}::text is null or step = ${step ?? null})
      and (${task ?? null}::text is null or task_id = ${task ?? null})
      and (${before?.at ?? null}::timestamptz is null or (started_at, id) < (${before?.at ?? null}::timestamptz, ${before?.id ?? null}))
    order by started_at desc, id desc limit ${limit}`)
  return rows.map(toView)
}

/** Of one task, in the order in which they began. */
export async function toolCallsOfTask(
  tx: ReadTx,
  tenant: TenantId,
  taskId: string,
  limit: number,
): Promise<readonly ToolCallView[]> {
  const rows = await tx.query<ToolCallRow>(sql`
    select ${columns} from tool_calls where tenant_id = ${tenant} and task_id = ${taskId}
    order by started_at, id limit ${limit}`)
  return rows.map(toView)
}

export async function toolUseOfRun(
  tx: ReadTx,
  tenant: TenantId,
  run: string,
  limit: number,
): Promise<readonly ToolUse[]> {
  return tx.query<ToolUse>(sql`
    select step, tool, kind, sum(calls)::int as calls, sum(failed)::int as failed, sum(refused)::int as refused,
      coalesce(sum(duration_ms) filter (where state <> 'gathered'), 0)::float8 as "durationMs"
    from tool_calls where tenant_id = ${tenant} and run_id = ${run}
    group by step, tool, kind order by 4 desc, step, tool, kind limit ${limit}`)
}

interface ToolCallRow extends Omit<ToolCallView, 'startedAt'> {
  readonly state: ToolCallState
  readonly startedAt: Date
}

function toView(row: ToolCallRow): ToolCallView {
  return { ...row, startedAt: row.startedAt.toISOString() }
}
