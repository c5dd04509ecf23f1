import type { TenantId } from '../../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'
import type { ResolvedTask } from '../../workflows/workflow-contract.ts'
import { joinSharedSpecs, wholeSpec } from './shared-specs.ts'

/** What these tasks are to do, by task id. */
export async function readTaskSpecs(
  tx: ReadTx,
  tasks: readonly { readonly tenant: TenantId; readonly taskId: string }[],
): Promise<ReadonlyMap<string, ResolvedTask>> {
  const rows = await tx.query<{ id: string; spec: ResolvedTask }>(sql`
    select t.id, ${wholeSpec} as spec
    from unnest(${tasks.map((t) => t.tenant)}::text[], ${tasks.map((t) => t.taskId)}::text[]) as w(tenant_id, id)
    join tasks t on t.tenant_id = w.tenant_id and t.id = w.id ${joinSharedSpecs}`)
  return new Map(rows.map((row) => [row.id, row.spec]))
}
