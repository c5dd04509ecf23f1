import { cp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openTestDatabase, ownerClient, type TestDatabase } from '../../../../test/support/databases.ts'
import { temporaryFolder } from '../../../../test/support/postgres-server.ts'
import { isAppError } from '../../kernel/errors.ts'
import { asId, type TenantId } from '../../kernel/ids.ts'
import { migrationsHash, readMigrations } from './migration-files.ts'
import { assertMigrated, migrate } from './migrator.ts'
import { dumpSchema } from './schema-dump.ts'
import { sql } from './sql.ts'

const base = join(import.meta.dirname, 'test-migrations')
const a = asId<TenantId>('tenant_a')
const withCode = (code: string) => (error: unknown) => isAppError(error, code)

let folder: string

beforeEach(async () => {
  folder = await temporaryFolder()
  await cp(base, folder, { recursive: true })
})

afterEach(() => rm(folder, { recursive: true, force: true }))

const add = (name: string, text: string) => writeFile(join(folder, name), text)

/** A migration needs a database that it has not been run on, so each test opens its own. */
async function withDatabase(kind: 'pglite' | 'postgres', fn: (database: TestDatabase) => Promise<void>): Promise<void> {
  const database = await openTestDatabase(kind, { migrations: base })
  try {
    await fn(database)
  } finally {
    await database.close()
  }
}

test.each(['pglite', 'postgres'] as const)('a new migration is applied once, with the rules of access (%s)', (kind) =>
  withDatabase(kind, async ({ db, owner }) => {
    await add(
      '0002_more.sql',
      `-- risk: low: a table, a view of what is open, and one that tenants may only add to
      create table more (tenant_id text collate "C" not null, id text collate "C" not null, primary key (tenant_id, id));
      create table journal (tenant_id text collate "C" not null, id text collate "C" not null, primary key (tenant_id, id));
      grant select, insert on journal to leanvibe_app;
      create table inner_works (id int primary key);
      set local role leanvibe_system;
      insert into things (tenant_id, id) values ('tenant_a', 'from the migration');`,
    )
    const client = ownerClient(owner)
    await expect(assertMigrated(client, folder)).rejects.toSatisfy(withCode('database-behind'))
    expect(await migrate(client, folder)).toEqual({ applied: ['0002_more'], version: 2 })
    expect(await migrate(client, folder)).toEqual({ applied: [], version: 2 })
    await assertMigrated(client, folder)
    const app = db.forTenant(a)
    expect(await app.read((tx) => tx.query(sql`select id from things`))).toEqual([{ id: 'from the migration' }])
    expect(await app.write((tx) => tx.execute(sql`insert into more values (${a}, 'x')`))).toBe(1)
    expect(await app.write((tx) => tx.execute(sql`insert into journal values (${a}, 'x')`))).toBe(1)
    await expect(app.write((tx) => tx.execute(sql`delete from journal`))).rejects.toThrow('permission denied')
    await expect(app.read((tx) => tx.query(sql`select * from inner_works`))).rejects.toThrow('permission denied')
    expect(await db.asSystem('test').write((tx) => tx.execute(sql`insert into inner_works values (1)`))).toBe(1)
    expect(await dumpSchema(client)).toContain('create table inner_works')
  }),
)

test.each(['pglite', 'postgres'] as const)('a failing migration leaves nothing and names its line (%s)', (kind) =>
  withDatabase(kind, async ({ owner }) => {
    await add('0002_wrong.sql', '-- risk: low: it is wrong\ncreate table half (id int);\nselect * from nowhere;\n')
    const client = ownerClient(owner)
    await expect(migrate(client, folder)).rejects.toSatisfy(
      (error) => isAppError(error, 'migration-failed') && error.message.startsWith('0002_wrong (line 3): '),
    )
    expect(await owner(`select to_regclass('half') as half`)).toEqual([{ half: null }])
    expect(await owner('select max(version) as version from migrations')).toEqual([{ version: 1 }])
  }),
)

test.each(['pglite', 'postgres'] as const)('the system role confines a partition that it had made (%s)', (kind) =>
  withDatabase(kind, async ({ db, owner }) => {
    await add(
      '0002_partitions.sql',
      `-- risk: low: a function
      create function make_notes(day date) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
      begin
        execute format('create table public.%I partition of public.notes for values from (%L) to (%L)', 'notes_' || day, day, day + 1);
        perform public.apply_tenant_policies(format('public.%I', 'notes_' || day)::regclass);
      end $$;
      revoke execute on function make_notes(date) from public;
      grant execute on function make_notes(date) to leanvibe_system;`,
    )
    await migrate(ownerClient(owner), folder)
    await db.asSystem('test').write((tx) => tx.query(sql`select make_notes('2026-01-02')`))
    const note = sql`insert into notes (tenant_id, at, text) values (${a}, '2026-01-02 12:00Z', 'x')`
    await db.forTenant(a).write((tx) => tx.execute(note))
    const other = db.forTenant(asId<TenantId>('tenant_b'))
    expect(await other.read((tx) => tx.query(sql`select * from notes`))).toEqual([])
    await expect(other.read((tx) => tx.query(sql`select * from "notes_2026-01-02"`))).rejects.toThrow(
      'permission denied',
    )
    await expect(other.write((tx) => tx.query(sql`select make_notes('2026-01-03')`))).rejects.toThrow(
      'permission denied',
    )
    const [policies] = await owner(`select relrowsecurity and relforcerowsecurity as confined,
      (select count(*) from pg_policy where polrelid = c.oid)::int as policies from pg_class c where relname = 'notes_2026-01-02'`)
    expect(policies).toEqual({ confined: true, policies: 2 })
  }),
)

test('a database that is ahead, and a migration whose text has changed, are refused', () =>
  withDatabase('pglite', async ({ owner }) => {
    const client = ownerClient(owner)
    await owner(`insert into migrations values (2, '0002_future', 'low', 'x')`)
    for (const refuse of [migrate, assertMigrated]) {
      await expect(refuse(client, folder)).rejects.toSatisfy(withCode('database-ahead'))
    }
    await owner('delete from migrations where version = 2')
    await add('0001_things.sql', '-- risk: low: another text\nselect 1;\n')
    for (const refuse of [migrate, assertMigrated]) {
      await expect(refuse(client, folder)).rejects.toSatisfy(withCode('migration-changed'))
    }
  }))

test.each([
  ['2_x.sql', '-- risk: low: x\n', 'not named'],
  ['0002_X.sql', '-- risk: low: x\n', 'not named'],
  ['0002_x.sql', 'select 1;\n', 'risk line'],
  ['0002_x.sql', '-- risk: low\n', 'risk line'],
  ['0002_x.sql', '-- risk: none: x\n', 'risk line'],
  ['0003_x.sql', '-- risk: low: x\n', 'expected number 2'],
  ['0001_x.sql', '-- risk: low: x\n', 'expected number 2'],
])('the file %s with %j is refused', async (name, text, reason) => {
  await add(name, text)
  await expect(readMigrations(folder)).rejects.toThrow(reason)
})

test('line ends do not change a migration, and its text does', async () => {
  const before = migrationsHash(await readMigrations(folder))
  await add('0002_x.sql', '-- risk: low: x\nselect 1;\n')
  const unix = migrationsHash(await readMigrations(folder))
  await add('0002_x.sql', '-- risk: low: x\r\nselect 1;\r\n')
  expect(migrationsHash(await readMigrations(folder))).toBe(unix)
  await add('0002_x.sql', '-- risk: low: x\nselect 2;\n')
  const other = migrationsHash(await readMigrations(folder))
  expect(new Set([before, unix, other]).size).toBe(3)
})
