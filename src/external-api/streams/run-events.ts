import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { LoggedEvent } from '../../foundation/runtime/event-log.ts'

/** A page of what is recorded of one run, in the order of recording. `after` is the `seq` the page before ended with. */
export async function readRunEvents(
  tx: ReadTx,
  tenant: TenantId,
  runId: string,
  after: string | undefined,
  limit: number,
): Promise<{ readonly items: readonly (LoggedEvent & { readonly epoch: number })[]; readonly next: string | null }> {
  const from = Number(after ?? 0)
  const rows = await tx.query<Row>(sql`
    select e.seq, e.type, e.subject_kind, e.subject_id, e.subject_rev, e.at, e.data
    from events e where e.tenant_id = ${tenant} and e.run_id = ${runId} and e.seq > ${Number.isSafeInteger(from) ? from : 0}
      and e.at >= (select created_at from runs where tenant_id = ${tenant} and id = ${runId}) - interval '1 minute'
    order by e.seq limit ${limit + 1}`)
  const items = rows.slice(0, limit).map((row) => ({
    epoch: 0,
    tick: 0,
    seq: row.seq,
    tenant,
    type: row.type,
    subject: { kind: row.subject_kind, id: row.subject_id, rev: row.subject_rev },
    runId,
    at: row.at,
    data: row.data,
  }))
  return { items, next: rows.length > limit ? String(items.at(-1)!.seq) : null }
}

interface Row {
  seq: number
  type: string
  subject_kind: string
  subject_id: string
  subject_rev: number
  at: Date
  data: JsonValue
}
