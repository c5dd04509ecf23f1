import type { RunId, TaskId, TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { LogChunk, LogSink } from '../../orchestration/runners/log-sink.ts'

/** Told, with the run's id, that output of a run has been kept. */
export const logChannel = 'lv_logs'

/** A piece of output as it is kept: bytes, in which a character may be cut at either end. */
export interface LogRow {
  readonly taskId: TaskId
  readonly fence: number
  /** Order within the attempt, over both streams. */
  readonly part: number
  readonly stream: 'stdout' | 'stderr'
  readonly at: Date
  readonly bytes: Uint8Array
}

/** What attempts print. A batch that comes twice is kept once. */
export class LogStore implements LogSink {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async append(chunks: readonly LogChunk[]): Promise<void> {
    for (const [tenant, own] of Map.groupBy(chunks, (chunk) => chunk.tenant)) {
      await this.#database.forTenant(tenant).write((tx) =>
        tx.execute(sql`
          insert into log_chunks (tenant_id, task_id, fence, part, run_id, stream, at, bytes)
          select ${tenant}, * from unnest(${own.map((c) => c.taskId)}::text[], ${own.map((c) => c.fence)}::bigint[],
            ${own.map((c) => c.seq)}::int[], ${own.map((c) => c.runId)}::text[], ${own.map((c) => c.stream)}::text[],
            ${own.map((c) => c.at)}::timestamptz[], ${own.map((c) => c.bytes)}::bytea[])
          on conflict do nothing`),
      )
    }
    for (const runId of new Set(chunks.map((chunk) => chunk.runId))) this.#database.notify(logChannel, runId)
  }
}

export interface LogFilter {
  readonly tenant: TenantId
  readonly runId: RunId
  /** Only this task, or the tasks whose ids begin with it and a dot. */
  readonly taskPrefix: string | null
}

/**
 * How far a reader has come: it has seen what `seen` shows, and is on its way to what `goal` shows, where it has come to
 * the row `after`. Snapshots of PostgreSQL, in their text form.
 */
export interface LogPlace {
  readonly seen: string
  readonly goal: string
  readonly after: {
    readonly xid: string
    readonly taskId: string
    readonly fence: number
    readonly part: number
  } | null
}

export interface LogPage {
  readonly rows: readonly LogRow[]
  /** Where the next page begins. */
  readonly place: LogPlace
  /** There may be more at once. */
  readonly full: boolean
}

/**
 * A page of what the tasks of a run printed, by the transaction that kept it: in the order of arrival, and within an
 * attempt in the order of printing. Whoever follows compares two snapshots, as the event log does, so that a batch which
 * was being written while another was read is neither skipped nor read twice.
 */
export async function readLogs(tx: ReadTx, filter: LogFilter, from: LogPlace | null, limit: number): Promise<LogPage> {
  const place = await nextGoal(tx, from)
  const { seen, goal, after } = place
  const { tenant, runId, taskPrefix } = filter
  const columns = sql`l.task_id, l.fence, l.part, l.stream, l.at, l.bytes, l.xid::text as xid, l.xid as position`
  const wanted = sql`l.tenant_id = ${tenant} and l.run_id = ${runId}
    and (${taskPrefix}::text is null or l.task_id = ${taskPrefix} or starts_with(l.task_id, ${taskPrefix} || '.'))
    and pg_visible_in_snapshot(l.xid, ${goal}::pg_snapshot)
    and (${after?.xid ?? null}::xid8 is null or (l.xid, l.task_id, l.fence, l.part) >
      (${after?.xid ?? null}::xid8, ${after?.taskId ?? null}, ${after?.fence ?? null}::bigint, ${after?.part ?? null}::int))`
  const rows = await tx.query<Row>(sql`
    select task_id, fence, part, stream, at, bytes, xid from (
      select ${columns} from log_chunks l
      where ${wanted} and l.xid >= pg_snapshot_xmax(${seen}::pg_snapshot)
      union all
      select ${columns} from pg_snapshot_xip(${seen}::pg_snapshot) as held(xid) join log_chunks l on l.xid = held.xid
      where ${wanted}) found
    order by position, task_id, fence, part limit ${limit}`)
  const last = rows.at(-1)
  const full = rows.length === limit
  const reached = full && last ? { xid: last.xid, taskId: last.task_id, fence: last.fence, part: last.part } : null
  return {
    rows: rows.map(({ task_id, fence, part, stream, at, bytes }) => ({
      taskId: task_id,
      fence,
      part,
      stream,
      at,
      bytes,
    })),
    place: full ? { seen, goal, after: reached } : { seen: goal, goal, after: null },
    full,
  }
}

interface Row {
  task_id: TaskId
  fence: number
  part: number
  stream: 'stdout' | 'stderr'
  at: Date
  bytes: Uint8Array
  xid: string
}

/** Goes on towards the old goal, or takes the present moment as the next one. */
async function nextGoal(tx: ReadTx, from: LogPlace | null): Promise<LogPlace> {
  if (from?.after) return from
  const [row] = await tx.query<{ goal: string }>(sql`select pg_current_snapshot()::text as goal`)
  return { seen: from?.goal ?? '1:1:', goal: row!.goal, after: null }
}
