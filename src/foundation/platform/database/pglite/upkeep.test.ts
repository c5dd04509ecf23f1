import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { preparedImage } from '../../../../../test/support/databases.ts'
import { temporaryFolder } from '../../../../../test/support/postgres-server.ts'
import { asId, type TenantId } from '../../../kernel/ids.ts'
import { sql } from '../sql.ts'
import { openPgliteParts, type PgliteParts } from './open-pglite.ts'
import { runUpkeep } from './upkeep.ts'

const a = asId<TenantId>('tenant_a')
let folder: string
let parts: PgliteParts

beforeEach(async () => {
  folder = await temporaryFolder()
  const migrations = join(import.meta.dirname, '..', 'test-migrations')
  const image = await preparedImage(migrations)
  parts = await openPgliteParts({ kind: 'pglite', folder, migrations, image, upkeepMs: 0 })
})

afterEach(async () => {
  await parts.database.close()
  await rm(folder, { recursive: true, force: true })
})

const churn = (rows: number) =>
  parts.database.forTenant(a).write(async (tx) => {
    await tx.execute(sql`insert into things (tenant_id, id, data)
      select ${a}, g, jsonb_build_object('x', repeat('x', 500)) from generate_series(1, ${rows}::int) g`)
    await tx.execute(sql`update things set n = n + 1`)
    await tx.execute(sql`delete from things`)
  })

async function stats() {
  const [row] = await parts.backend.asOwner(async ({ client }) => {
    await client.query('select pg_stat_force_next_flush()')
    return (
      await client.query(`select n_dead_tup as dead, pg_relation_size(relid) as size,
        pg_current_wal_insert_lsn() - (select redo_lsn from pg_control_checkpoint()) as wal
        from pg_stat_user_tables where relname = 'things'`)
    ).rows
  })
  return { dead: row.dead as number, size: row.size as number, wal: Number(row.wal) }
}

test('a database at rest is left alone', async () => {
  await runUpkeep(parts.backend)
  expect(await runUpkeep(parts.backend)).toEqual([])
})

test('dead rows are vacuumed and the space is used again', async () => {
  await churn(5_000)
  expect((await stats()).dead).toBeGreaterThan(5_000)
  expect(await runUpkeep(parts.backend)).toEqual(
    expect.arrayContaining(['vacuum public.things', 'analyze public.things']),
  )
  expect((await stats()).dead).toBe(0)
  await churn(5_000)
  const { size } = await stats()
  for (let round = 0; round < 3; round++) {
    await runUpkeep(parts.backend)
    await churn(5_000)
  }
  expect((await stats()).size).toBeLessThanOrEqual(size * 1.1)
})

test('the log is checkpointed before it grows beyond its limit', async () => {
  const walLimit = 8 * 1_048_576
  await churn(10_000)
  expect((await stats()).wal).toBeGreaterThan(walLimit)
  expect(await runUpkeep(parts.backend, { walLimit })).toContain('checkpoint')
  expect((await stats()).wal).toBeLessThan(walLimit)
  for (let round = 0; round < 4; round++) {
    await churn(10_000)
    await runUpkeep(parts.backend, { walLimit })
  }
  const segments = (await readdir(join(folder, 'pglite', 'pg_wal'))).filter((name) => /^[0-9A-F]{24}$/.test(name))
  expect(segments.length * 4).toBeLessThan(120)
})
