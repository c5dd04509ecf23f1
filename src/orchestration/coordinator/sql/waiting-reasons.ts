import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

/**
 * The reasons that begin with `prefix:` for which tasks wait, each named once, by hopping along the index of waiting tasks:
 * the cost grows with the reasons, not with the tasks. `name` is what follows the prefix. At most 1,000 a tenant.
 */
export async function waitingReasons(
  tx: ReadTx,
  prefix: 'budget' | 'concurrency',
): Promise<readonly { readonly tenant: TenantId; readonly name: string }[]> {
  const from = `${prefix}:`
  // `;` is the byte after `:`.
  const to = `${prefix};`
  return tx.query(sql`
    with recursive tenants as (
      (select tenant_id from tasks where state = 'waiting' order by tenant_id limit 1)
      union all
      select (select t.tenant_id from tasks t where t.state = 'waiting' and t.tenant_id > tenants.tenant_id
        order by t.tenant_id limit 1)
      from tenants where tenants.tenant_id is not null)
    select tenants.tenant_id as tenant, substr(r.reason, ${from.length + 1}::int) as name
    from tenants cross join lateral (
      with recursive hop as (
        (select t.reason from tasks t
          where t.tenant_id = tenants.tenant_id and t.state = 'waiting' and t.reason >= ${from} and t.reason < ${to}
          order by t.reason limit 1)
        union all
        select (select t.reason from tasks t
          where t.tenant_id = tenants.tenant_id and t.state = 'waiting' and t.reason > hop.reason and t.reason < ${to}
          order by t.reason limit 1)
        from hop where hop.reason is not null)
      select reason from hop where reason is not null limit 1000) r
    where tenants.tenant_id is not null`)
}
