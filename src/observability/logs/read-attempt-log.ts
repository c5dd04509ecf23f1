import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { LogDecoder } from './decode-logs.ts'
import type { LogRow } from './log-store.ts'

/** What one attempt printed, both streams in the order of printing: the end of it, where it is more than `mostBytes`. */
export async function readAttemptLog(
  tx: ReadTx,
  tenant: TenantId,
  { taskId, fence }: { readonly taskId: string; readonly fence: number },
  mostBytes: number,
): Promise<{ readonly text: string; readonly cut: boolean }> {
  const rows = await tx.query<LogRow & { readonly total: number }>(sql`
    select * from (
      select task_id as "taskId", fence, part, stream, at, bytes, sum(octet_length(bytes)) over () ::float8 as total,
        sum(octet_length(bytes)) over (order by part desc) - octet_length(bytes) as after
      from log_chunks where tenant_id = ${tenant} and task_id = ${taskId} and fence = ${fence}) l
    where after < ${mostBytes} order by part`)
  const decoder = new LogDecoder()
  const text = [...rows.map((row) => decoder.decode(row)), ...decoder.end()].map((piece) => piece.text).join('')
  return { text, cut: (rows[0]?.total ?? 0) > rows.reduce((sum, row) => sum + row.bytes.length, 0) }
}
