import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

export interface ReachedLimit {
  readonly tenant: TenantId
  readonly id: string
  readonly rev: number
  readonly scope: string
  readonly scopeId: string
  readonly unit: string
  readonly spent: number
  readonly softLimit: number
  readonly hardLimit: number | null
}

/** Budgets that have reached their soft limit since it was last told; each is told once a window. */
export async function takeReachedLimits(tx: Tx, now: Date): Promise<readonly ReachedLimit[]> {
  return tx.query<ReachedLimit>(sql`
    with reached as materialized (
      select tenant_id, id from budgets where soft_limit is not null and soft_told_at is null and spent >= soft_limit
      order by tenant_id, id limit 500 for update skip locked)
    update budgets b set soft_told_at = ${now}, rev = b.rev + 1 from reached r
    where b.tenant_id = r.tenant_id and b.id = r.id
    returning b.tenant_id as tenant, b.id, b.rev, b.scope, b.scope_id as "scopeId", b.unit, b.spent,
      b.soft_limit as "softLimit", b.hard_limit as "hardLimit"`)
}
