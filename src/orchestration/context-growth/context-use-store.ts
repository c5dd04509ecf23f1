import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { type Query, sql } from '../../foundation/platform/database/sql.ts'
import type { AttemptContextUse } from './context-growth-contract.ts'
import type { MeteredLease } from './context-meter.ts'
import type { GrowthState } from './growth-meter.ts'

/** Keeps what is known of a context now; resolves to its revision. */
export async function keepContextUse(
  tx: Tx,
  { tenant, taskId, fence, runId, step, agentId }: MeteredLease,
  state: GrowthState,
  now: Date,
): Promise<number> {
  const { used, limit, growth, turnsLeft, level, turns, summaries } = state
  const [row] = await tx.query<{ rev: number }>(sql`
    insert into context_use (tenant_id, task_id, fence, run_id, step, agent_id, used, context_limit, growth, turns_left, level,
      turns, summaries, updated_at)
    values (${tenant}, ${taskId}, ${fence}, ${runId}, ${step}, ${agentId}, ${used}, ${limit}, ${growth}, ${turnsLeft}, ${level},
      ${turns}, ${summaries}, ${now})
    on conflict (tenant_id, task_id, fence) do update set used = excluded.used, context_limit = excluded.context_limit,
      growth = excluded.growth, turns_left = excluded.turns_left, level = excluded.level, turns = excluded.turns,
      summaries = excluded.summaries, updated_at = excluded.updated_at, rev = context_use.rev + 1
    returning rev`)
  return row!.rev
}

/** Forgets an attempt, and those whose process died without a word before `before`. */
export async function dropContextUse(tx: Tx, { tenant, taskId, fence }: MeteredLease, before: Date): Promise<void> {
  await tx.execute(sql`delete from context_use
    where tenant_id = ${tenant} and ((task_id = ${taskId} and fence = ${fence}) or updated_at < ${before})`)
}

/** The contexts of what an agent works on. */
export async function contextsOfAgent(
  tx: ReadTx,
  tenant: TenantId,
  agentId: string,
): Promise<readonly AttemptContextUse[]> {
  const rows = await tx.query<Row>(sql`
    select ${columns} from context_use where tenant_id = ${tenant} and agent_id = ${agentId} order by fence limit 1000`)
  return rows.map(toView)
}

/** The fullest contexts of agents that were heard of since. */
export async function fullestContexts(
  tx: ReadTx,
  tenant: TenantId,
  since: Date,
  most: number,
): Promise<readonly AttemptContextUse[]> {
  const rows = await tx.query<Row>(sql`
    select ${columns} from context_use where tenant_id = ${tenant} and updated_at >= ${since}
    order by used::float8 / context_limit desc, task_id limit ${most}`)
  return rows.map(toView)
}

interface Row extends Omit<AttemptContextUse, 'share' | 'updatedAt'> {
  readonly updatedAt: Date
}

const columns: Query = sql`agent_id as "agentId", run_id as "runId", task_id as "taskId", step, used::int8 as used,
  context_limit::int8 as "limit", growth::int8 as growth, turns_left as "turnsLeft", level, turns, summaries,
  updated_at as "updatedAt"`

function toView(row: Row): AttemptContextUse {
  const [used, limit] = [Number(row.used), Number(row.limit)]
  return {
    ...{ ...row, used, limit, share: used / limit },
    growth: row.growth === null ? null : Number(row.growth),
    updatedAt: row.updatedAt.toISOString(),
  }
}
