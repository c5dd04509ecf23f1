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

/** What a budget with a hard limit still admits, in its unit. */
export interface RemainingBudget {
  readonly tenant: TenantId
  readonly id: string
  readonly remaining: number
}

/** The oldest ready tasks of each lane, up to the lane's limit, and what is left of the budgets they would take of. */
export async function readHeads(
  tx: ReadTx,
  lanes: readonly { readonly tenant: TenantId; readonly pool: string; readonly lane: string; readonly limit: number }[],
): Promise<{ readonly heads: LaneHeads[]; readonly remaining: readonly RemainingBudget[] }> {
  const rows = await tx.query<Row>({
    name: 'read-heads',
    text: `
      with heads as materialized (
        select l.tenant_id, l.n, h.id, h.ready_seq, h.budget_ids, h.holds
        from unnest($1::text[], $2::text[], $3::text[], $4::int[]) with ordinality as l(tenant_id, pool, lane, max, n)
        cross join lateral (
          select id, ready_seq, budget_ids, holds from tasks t
          where t.tenant_id = l.tenant_id and t.pool = l.pool and t.lane = l.lane and t.state = 'ready'
          order by ready_seq limit l.max) h)
      select n, array_agg(id) as ids, array_agg(ready_seq) as seqs,
        array_agg(case when budget_ids is null then '' else
          array_to_string(budget_ids, ',') || '=' || array_to_string(holds, ',') end) as holds,
        case when n = (select min(n) from heads) then (
          select json_agg(json_build_array(b.tenant_id, b.id, b.hard_limit - b.held - b.spent))
          from (select distinct tenant_id, unnest(budget_ids) as id from heads where budget_ids is not null) w
          cross join lateral (select * from budgets b where b.tenant_id = w.tenant_id and b.id = w.id limit 1) b
          where b.hard_limit is not null) end as budgets
      from heads group by n`,
    values: [lanes.map((l) => l.tenant), lanes.map((l) => l.pool), lanes.map((l) => l.lane), lanes.map((l) => l.limit)],
  })
  return {
    heads: rows.map(({ n, ids, seqs, holds }) => {
      const { tenant, pool, lane } = lanes[n - 1]!
      return { tenant, pool, lane, ids, readySeqs: seqs, holds }
    }),
    remaining: (rows.find((row) => row.budgets !== null)?.budgets ?? []).map(([tenant, id, remaining]) => ({
      tenant,
      id,
      remaining,
    })),
  }
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
  n: number
  ids: string[]
  seqs: number[]
  holds: string[]
  /** Of all lanes, with the first of them: with each they would be as many as lanes times budgets. */
  budgets: [TenantId, string, number][] | null
}
