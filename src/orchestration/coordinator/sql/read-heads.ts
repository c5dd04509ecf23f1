import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'

export interface LaneHeads {
  readonly tenant: TenantId
  readonly pool: string
  readonly lane: string
  readonly ids: readonly string[]
  readonly readySeqs: readonly number[]
  /** Per task `budget,...=amount,...`, empty where it holds nothing. */
  readonly holds: readonly string[]
}

/** The oldest ready tasks of each lane, up to the lane's limit. */
export async function readHeads(
  tx: ReadTx,
  lanes: readonly { readonly tenant: TenantId; readonly pool: string; readonly lane: string; readonly limit: number }[],
): Promise<LaneHeads[]> {
  const rows = await tx.query<Row>({
    name: 'read-heads',
    text: `
      select l.tenant_id, l.pool, l.lane, h.ids, h.seqs, h.holds
      from unnest($1::text[], $2::text[], $3::text[], $4::int[]) as l(tenant_id, pool, lane, max)
      cross join lateral (
        select array_agg(id) as ids, array_agg(ready_seq) as seqs,
          array_agg(case when budget_ids is null then '' else
            array_to_string(budget_ids, ',') || '=' || array_to_string(holds, ',') end) as holds
        from (
          select id, ready_seq, budget_ids, holds from tasks t
          where t.tenant_id = l.tenant_id and t.pool = l.pool and t.lane = l.lane and t.state = 'ready'
          order by ready_seq limit l.max) heads) h
      where h.ids is not null`,
    values: [lanes.map((l) => l.tenant), lanes.map((l) => l.pool), lanes.map((l) => l.lane), lanes.map((l) => l.limit)],
  })
  return rows.map((row) => ({
    tenant: row.tenant_id,
    pool: row.pool,
    lane: row.lane,
    ids: row.ids,
    readySeqs: row.seqs,
    holds: row.holds,
  }))
}

/** What a task with these holds takes of each budget. Most tasks of a lane hold the same. */
export function holdsOf(text: string): readonly { readonly budget: string; readonly amount: number }[] {
  let holds = parsed.get(text)
  if (holds === undefined) {
    const at = text.lastIndexOf('=')
    const amounts = text.slice(at + 1).split(',')
    holds =
      at < 0
        ? []
        : text
            .slice(0, at)
            .split(',')
            .map((budget, n) => ({ budget, amount: Number(amounts[n]) }))
    if (parsed.size > 1_000) parsed.clear()
    parsed.set(text, holds)
  }
  return holds
}

const parsed = new Map<string, readonly { readonly budget: string; readonly amount: number }[]>()

interface Row {
  tenant_id: TenantId
  pool: string
  lane: string
  ids: string[]
  seqs: number[]
  holds: string[]
}
