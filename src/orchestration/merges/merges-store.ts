import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { json, type Query, sql } from '../../foundation/platform/database/sql.ts'
import type { Landed, MergeNote } from './merge-journal.ts'
import { type MergeState, openMergeStates } from './merge-states-contract.ts'
import type { MergeStep } from './merges-contract.ts'

export interface NewMerge {
  readonly tenant: TenantId
  readonly runId: string
  readonly taskId: string
  readonly step: string
  readonly item: number | null
  readonly repo: string
  readonly branch: string
  readonly commit: string
}

export interface MergeRow {
  readonly tenant_id: TenantId
  readonly task_id: string
  readonly run_id: string
  readonly step: string
  readonly state: MergeState
  readonly rev: number
  readonly fence: number
  readonly target: string | null
  readonly candidate: string | null
  readonly batch: string | null
  readonly most: number | null
  readonly landed: Landed | null
}

const columns: Query = sql`tenant_id, task_id, run_id, step, state, rev, fence, target, candidate, batch, most, landed`

export async function insertMergeRows(tx: Tx, merges: readonly NewMerge[], now: Date): Promise<void> {
  await tx.execute(sql`
    insert into merges (tenant_id, task_id, run_id, step, item, repo, branch, commit_id, state, queued_at)
    select tenant_id, task_id, run_id, step, item, repo, branch, commit_id, 'queued', ${now}
    from unnest(${merges.map((m) => m.tenant)}::text[], ${merges.map((m) => m.taskId)}::text[],
      ${merges.map((m) => m.runId)}::text[], ${merges.map((m) => m.step)}::text[], ${merges.map((m) => m.item)}::int[],
      ${merges.map((m) => m.repo)}::text[], ${merges.map((m) => m.branch)}::text[], ${merges.map((m) => m.commit)}::text[])
      with ordinality as i(tenant_id, task_id, run_id, step, item, repo, branch, commit_id, n)
    order by n`)
}

export async function lockMerges(
  tx: Tx,
  merges: readonly { readonly tenant: TenantId; readonly taskId: string }[],
): Promise<readonly MergeRow[]> {
  return tx.query<MergeRow>(sql`
    select ${columns} from merges
    where (tenant_id, task_id) in (select * from unnest(${merges.map((m) => m.tenant)}::text[], ${merges.map((m) => m.taskId)}::text[]))
    order by tenant_id, task_id for update`)
}

export async function findMergeRow(tx: ReadTx, tenant: TenantId, taskId: string): Promise<MergeRow | null> {
  const rows = await tx.query<MergeRow>(sql`
    select ${columns} from merges where tenant_id = ${tenant} and task_id = ${taskId}`)
  return rows[0] ?? null
}

/** Merges of the branch of this one that nobody works on, the first first. */
export async function queuedBeside(
  tx: ReadTx,
  { tenant, taskId }: { readonly tenant: TenantId; readonly taskId: string },
  limit: number,
): Promise<readonly (Pick<MergeRow, 'task_id' | 'run_id' | 'step' | 'most'> & { readonly item: number | null })[]> {
  return tx.query(sql`
    select o.task_id, o.run_id, o.step, o.item, o.most from merges m
    join merges o on o.tenant_id = m.tenant_id and o.repo = m.repo and o.branch = m.branch and o.ended_at is null
    where m.tenant_id = ${tenant} and m.task_id = ${taskId} and o.task_id <> m.task_id and o.state = 'queued'
    order by o.seq limit ${limit}`)
}

/** Open merges that were taken along by these, locked. */
export async function lockTakenAlong(
  tx: Tx,
  leaders: readonly { readonly tenant: TenantId; readonly taskId: string }[],
): Promise<readonly MergeRow[]> {
  return tx.query<MergeRow>(sql`
    select ${columns} from merges
    where (tenant_id, batch) in (select * from unnest(${leaders.map((m) => m.tenant)}::text[], ${leaders.map((m) => m.taskId)}::text[]))
      and batch is not null and ended_at is null and task_id <> batch
    order by tenant_id, task_id for update`)
}

/** How many may be tested together with it. */
export async function setMost(tx: Tx, row: MergeRow, most: number | null): Promise<void> {
  await tx.execute(
    sql`update merges set most = ${most} where tenant_id = ${row.tenant_id} and task_id = ${row.task_id}`,
  )
}

/** Of one merge; more would tell nothing new. */
const mostHistory = 200

export async function saveMerge(
  tx: Tx,
  row: MergeRow,
  next: { readonly state: MergeState; readonly fence: number } & MergeNote,
  now: Date,
): Promise<void> {
  const isOpen = (openMergeStates as readonly MergeState[]).includes(next.state)
  await tx.execute(sql`
    update merges set state = ${next.state}, rev = rev + 1, fence = ${next.fence},
      target = coalesce(${next.target ?? null}, target), candidate = coalesce(${next.candidate ?? null}, candidate),
      files = coalesce(${next.files ?? null}::text[], files), reason = ${next.reason ?? null},
      batch = ${next.batch?.leader ?? null}, landed = ${next.landed === undefined ? null : json(next.landed as unknown as JsonValue)}::jsonb,
      history = case when jsonb_array_length(history) < ${mostHistory}
        then history || ${json([historyEntry(next, now)])}::jsonb else history end,
      started_at = coalesce(started_at, ${next.state === 'queued' ? null : now}::timestamptz),
      ended_at = ${isOpen ? null : now}::timestamptz
    where tenant_id = ${row.tenant_id} and task_id = ${row.task_id}`)
}

function historyEntry(next: { readonly state: MergeState } & MergeNote, now: Date): MergeStep {
  const { state, target, candidate, placed, checks, files, reason, batch } = next
  return {
    ...{ at: now.toISOString(), state },
    ...(target === undefined ? {} : { target }),
    ...(candidate === undefined ? {} : { candidate }),
    ...(placed === undefined ? {} : { placed }),
    ...(batch === undefined ? {} : { batch }),
    ...(checks === undefined ? {} : { checks: [...checks] }),
    ...(files === undefined ? {} : { files: files.slice(0, 100) }),
    ...(reason === undefined ? {} : { reason }),
  }
}
