import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { tellMerge } from './merge-story.ts'
import type { ExplainedMerge, MergeNeighbour } from './merges-contract.ts'
import { type MergeDetailRow, type MergeFilter, mergeViewOf, readMergeRows } from './merges-view.ts'

/** Of those that were before it. */
const mostNeighbours = 100

/** Why merges are where they are, in the order in which they came. */
export async function explainMerges(
  tx: ReadTx,
  tenant: TenantId,
  filter: Omit<MergeFilter, 'before'>,
  now: Date,
): Promise<readonly ExplainedMerge[]> {
  const rows = (await readMergeRows(tx, tenant, { ...filter, before: null })).toSorted(
    (a, b) => Number(a.seq) - Number(b.seq),
  )
  if (rows.length === 0) return []
  const waitedFor = await readNeighbours(tx, tenant, rows)
  const makers = await readMakers(tx, tenant, rows)
  return rows.map((row) => {
    const until = row.started_at ?? row.ended_at ?? now
    const facts = {
      merge: mergeViewOf(row),
      waitedFor: waitedFor.get(row.task_id) ?? [],
      waitedMs: Math.max(0, until.getTime() - row.queued_at.getTime()),
      history: row.history,
    }
    return { ...facts, story: [...tellMerge(facts, (commit) => makers.get(`${row.repo}#${row.branch}#${commit}`))] }
  })
}

/** Of each merge: those of its branch that came before it, and had not ended when it came. */
async function readNeighbours(
  tx: ReadTx,
  tenant: TenantId,
  rows: readonly MergeDetailRow[],
): Promise<ReadonlyMap<string, MergeNeighbour[]>> {
  const found = await tx.query<NeighbourRow & { readonly of: string }>(sql`
    select w.task_id as of, o.* from unnest(${rows.map((row) => row.task_id)}::text[]) as w(task_id)
    join merges m on m.tenant_id = ${tenant} and m.task_id = w.task_id
    cross join lateral (
      select task_id, run_id, step, item, state, ended_at, seq from merges b
      where b.tenant_id = m.tenant_id and b.repo = m.repo and b.branch = m.branch and b.seq < m.seq
        and (b.ended_at is null or b.ended_at > m.queued_at)
      order by b.seq limit ${mostNeighbours}) o
    order by w.task_id, o.seq`)
  return new Map([...Map.groupBy(found, ({ of }) => of)].map(([of, all]) => [of, all.map(neighbourOf)]))
}

/** Which merges left a branch where these were put on top of it. */
async function readMakers(
  tx: ReadTx,
  tenant: TenantId,
  rows: readonly MergeDetailRow[],
): Promise<ReadonlyMap<string, MergeNeighbour>> {
  const targets = rows.flatMap((row) => row.history.flatMap(({ target }) => target ?? []))
  if (targets.length === 0) return new Map()
  const found = await tx.query<
    NeighbourRow & { readonly repo: string; readonly branch: string; readonly candidate: string }
  >(sql`
    select task_id, run_id, step, item, state, ended_at, repo, branch, candidate from merges
    where tenant_id = ${tenant} and state = 'merged' and candidate <> target
      and repo = any (${[...new Set(rows.map((row) => row.repo))]}::text[])
      and candidate = any (${[...new Set(targets)]}::text[])`)
  return new Map(found.map((row) => [`${row.repo}#${row.branch}#${row.candidate}`, neighbourOf(row)]))
}

interface NeighbourRow {
  readonly task_id: string
  readonly run_id: string
  readonly step: string
  readonly item: number | null
  readonly state: MergeNeighbour['state']
  readonly ended_at: Date | null
}

function neighbourOf({ task_id, run_id, step, item, state, ended_at }: NeighbourRow): MergeNeighbour {
  return { id: task_id, runId: run_id, step, item, state, endedAt: ended_at?.toISOString() ?? null }
}
