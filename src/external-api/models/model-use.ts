import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'

export interface ModelUse {
  readonly model: string
  readonly provider: string
  readonly calls: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** Null: none of the calls has a price. */
  readonly microUsd: number | null
}

/** Which models the attempts of a task called through the gateway, and what that cost. */
export async function modelUseOfTask(
  tx: ReadTx,
  tenant: TenantId,
  runId: string,
  taskId: string,
): Promise<readonly ModelUse[]> {
  const rows = await tx.query<ModelUse>(sql`
    select model, provider, count(*)::int as calls, sum(input_tokens + cache_read_tokens + cache_write_tokens)::float8 as "inputTokens",
      sum(output_tokens)::float8 as "outputTokens", sum(micro_usd)::float8 as "microUsd"
    from model_calls where tenant_id = ${tenant} and run_id = ${runId} and task_id = ${taskId}
    group by model, provider order by model, provider`)
  return rows
}
