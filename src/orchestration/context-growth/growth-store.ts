import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { MeteredLease } from './context-meter.ts'
import { percentile } from './forecast-growth.ts'

/** Attempts that are remembered of each agent and pool: what models and prompts did long ago says little of today. */
const mostSamples = 100
/** An agent is judged by its own attempts from so many on; before, by those of its pool. */
const enoughOfAgent = 3
/** Agents that are never heard of again, ms. */
const forgetMs = 30 * 86_400_000

/** What an attempt added to its context counts for its agent, and for the agent's pool. */
export async function learnGrowth(
  tx: Tx,
  { tenant, taskId, fence, agentId }: MeteredLease,
  pool: string | null,
  now: Date,
): Promise<void> {
  const names = [['agent', agentId], ...(pool === null ? [] : [['pool', pool]])] as const
  await tx.execute(sql`
    insert into context_growth as g (tenant_id, scope, name, samples, updated_at)
    select u.tenant_id, n.scope, n.name, array[u.growth], ${now} from context_use u
    cross join unnest(${names.map(([scope]) => scope!)}::text[], ${names.map(([, name]) => name!)}::text[]) as n(scope, name)
    where u.tenant_id = ${tenant} and u.task_id = ${taskId} and u.fence = ${fence} and u.growth is not null
    order by n.scope, n.name
    on conflict (tenant_id, scope, name) do update set updated_at = excluded.updated_at,
      samples = (g.samples || excluded.samples)[greatest(1, cardinality(g.samples) + 2 - ${mostSamples}):]`)
  await tx.execute(sql`delete from context_growth
    where tenant_id = ${tenant} and updated_at < ${new Date(now.getTime() - forgetMs)}`)
}

/** What a turn of this agent will add, in three of four cases at most, in tokens; null: nobody knows. */
export async function expectedGrowth(
  tx: ReadTx,
  tenant: TenantId,
  agentId: string,
  pool: string | null,
): Promise<number | null> {
  const rows = await tx.query<{ scope: string; samples: readonly (number | string | bigint)[] }>(sql`
    select scope, samples from context_growth
    where tenant_id = ${tenant} and (scope, name) in (('agent', ${agentId}), ('pool', ${pool ?? ''}))`)
  const of = (scope: string) => (rows.find((row) => row.scope === scope)?.samples ?? []).map(Number)
  const own = of('agent')
  return percentile(own.length >= enoughOfAgent || pool === null ? own : of('pool'), 0.75)
}
