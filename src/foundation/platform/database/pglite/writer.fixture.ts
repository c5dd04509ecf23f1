/** A process for the tests: writes numbered rows to the data folder of its argument and prints each number once it is committed. */
import { asId, type TenantId } from '../../../kernel/ids.ts'
import { openDatabase } from '../open-database.ts'
import { sql } from '../sql.ts'

const [folder, migrations] = process.argv.slice(2)
const tenant = asId<TenantId>('tenant_a')
const db = await openDatabase({ kind: 'pglite', folder: folder!, migrations, upkeepMs: 50 })
const next = sql`insert into things (tenant_id, id, n) select ${tenant}, 'n' || coalesce(max(n), 0) + 1, coalesce(max(n), 0) + 1 from things returning n`
for (;;) {
  const [row] = await db.forTenant(tenant).write((tx) => tx.query<{ n: number }>(next))
  process.stdout.write(`${row?.n}\n`)
}
