import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { type MergeState, openMergeStates } from './merge-states-contract.ts'
import type { MergeStep, MergeView } from './merges-contract.ts'

export interface MergeFilter {
  readonly id?: string | undefined
  readonly runs?: readonly string[] | undefined
  readonly branch?: string | undefined
  readonly state?: MergeState | 'open' | undefined
  readonly before: { readonly at: Date; readonly id: string } | null
  readonly limit: number
}

/** Newest first. Of each that is open: how many of its branch are before it, and what the first of them is doing. */
export async function readMerges(tx: ReadTx, tenant: TenantId, filter: MergeFilter): Promise<readonly MergeView[]> {
  return (await readMergeRows(tx, tenant, filter)).map(mergeViewOf)
}

export async function readMergeRows(
  tx: ReadTx,
  tenant: TenantId,
  filter: MergeFilter,
): Promise<readonly MergeDetailRow[]> {
  const { id, runs, branch, state, before, limit } = filter
  const states = state === undefined ? null : state === 'open' ? [...openMergeStates] : [state]
  return tx.query<MergeDetailRow>(sql`
    select m.*, a.ahead, a.first_run, a.first_step, a.first_state from merges m
    left join lateral (
      select count(*)::int as ahead, (array_agg(o.run_id order by o.seq))[1] as first_run,
        (array_agg(o.step order by o.seq))[1] as first_step, (array_agg(o.state order by o.seq))[1] as first_state
      from merges o
      where o.tenant_id = m.tenant_id and o.repo = m.repo and o.branch = m.branch and o.ended_at is null and o.seq < m.seq
    ) a on m.ended_at is null
    where m.tenant_id = ${tenant} and (${id ?? null}::text is null or m.task_id = ${id ?? null})
      and (${runs ?? null}::text[] is null or m.run_id = any (${runs ?? null}::text[]))
      and (${branch ?? null}::text is null or m.branch = ${branch ?? null})
      and (${states}::text[] is null or m.state = any (${states}::text[]))
      and (${before?.at ?? null}::timestamptz is null
        or (m.queued_at, m.task_id) < (${before?.at ?? null}::timestamptz, ${before?.id ?? null}))
    order by m.queued_at desc, m.task_id desc limit ${limit}`)
}

export interface MergeDetailRow {
  readonly task_id: string
  readonly run_id: string
  readonly step: string
  readonly item: number | null
  readonly repo: string
  readonly branch: string
  readonly commit_id: string
  readonly state: MergeState
  readonly seq: number
  readonly ahead: number | null
  readonly first_run: string | null
  readonly first_step: string | null
  readonly first_state: MergeState | null
  readonly target: string | null
  readonly candidate: string | null
  readonly batch: string | null
  readonly files: string[]
  readonly reason: string | null
  readonly history: MergeStep[]
  readonly queued_at: Date
  readonly started_at: Date | null
  readonly ended_at: Date | null
}

export function mergeViewOf(row: MergeDetailRow): MergeView {
  return {
    id: row.task_id,
    runId: row.run_id,
    step: row.step,
    item: row.item,
    repo: row.repo,
    branch: row.branch,
    commit: row.commit_id,
    state: row.state,
    seq: Number(row.seq),
    ahead: row.ahead,
    explanation: explain(row),
    target: row.target,
    candidate: row.candidate,
    files: row.files,
    reason: row.reason,
    queuedAt: row.queued_at.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    endedAt: row.ended_at?.toISOString() ?? null,
  }
}

/** Merges of a branch are done in the order in which their steps became due, one at a time or several together. */
function explain(row: MergeDetailRow): string {
  const short = (commit: string | null) => commit?.slice(0, 12) ?? ''
  switch (row.state) {
    case 'queued':
      if ((row.ahead ?? 0) === 0) return 'the next to be done'
      return `number ${row.ahead! + 1}: after ${row.first_step} of ${row.first_run}, which is ${row.first_state}${row.ahead! > 1 ? `, and ${row.ahead! - 1} more` : ''}`
    case 'rebasing':
      return `is put on top of ${row.branch} at ${short(row.target)}`
    case 'testing':
      return `${short(row.candidate)} is being checked, on top of ${short(row.target)}${row.batch === null || row.batch === row.task_id ? '' : `, together with ${row.batch}`}`
    case 'landing':
      return `${row.branch} moves from ${short(row.target)} to ${short(row.candidate)}`
    case 'merged':
      return row.candidate === row.target
        ? `${row.branch} held it already`
        : `${row.branch} moved from ${short(row.target)} to ${short(row.candidate)}`
    default:
      return row.reason ?? row.state
  }
}
