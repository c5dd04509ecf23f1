import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, inject } from 'vitest'
import type { Database } from '../../src/foundation/platform/database/database.ts'
import type { OwnerClient } from '../../src/foundation/platform/database/migrator.ts'
import { openDatabase } from '../../src/foundation/platform/database/open-database.ts'
import { openPgliteParts } from '../../src/foundation/platform/database/pglite/open-pglite.ts'

export type DatabaseKind = Database['kind']

export interface TestDatabase {
  readonly kind: DatabaseKind
  readonly db: Database
  /** Runs plain SQL as the owner of the tables, who is a superuser here: past all policies. */
  owner<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>
  /** Empties every table and puts the rows back that the migrations had left there. */
  reset(): Promise<void>
  /** Closes it, fails if something still holds a connection, and removes it. */
  close(): Promise<void>
  /** The URL of the server's database (PostgreSQL only), for a second process or pool. */
  readonly url?: string
}

export interface TestDatabaseOptions {
  /** The folder of the migrations. Default: that of the package. */
  readonly migrations?: string
  readonly idleInTransactionMs?: number
  readonly lockTimeoutMs?: number
  readonly statementTimeoutMs?: number
  readonly poolSize?: number
}

export interface EachDatabaseOptions extends TestDatabaseOptions {
  /** Default: both. */
  readonly kinds?: readonly DatabaseKind[]
}

/**
 * Runs a suite on PGlite and on PostgreSQL, each with a database of its own for this file, emptied before each test:
 * `eachDatabase('run store', (use) => { test('...', async () => { const { db } = use() ... }) })`.
 */
export function eachDatabase(
  name: string,
  suite: (use: () => TestDatabase) => void,
  options: EachDatabaseOptions = {},
): void {
  for (const kind of options.kinds ?? (['pglite', 'postgres'] as const)) {
    describe(`${name} on ${kind}`, () => {
      let current: TestDatabase | undefined
      beforeAll(async () => {
        current = await openTestDatabase(kind, options)
      })
      beforeEach(() => current?.reset())
      afterAll(() => current?.close())
      suite(() => {
        if (!current) throw new Error('the database opens before the first test, not while tests are being defined')
        return current
      })
    })
  }
}

/** The owner of a test database in the form that the migrator takes. */
export function ownerClient(owner: TestDatabase['owner']): OwnerClient {
  const query = async (statement: string | { text: string; values?: unknown[] }) => {
    const { text, values } = typeof statement === 'string' ? { text: statement, values: [] } : statement
    return { rows: await owner(text, values) }
  }
  return { query } as unknown as OwnerClient
}

/** Opens a database for tests that manage it themselves; `eachDatabase` is the usual way. */
export async function openTestDatabase(kind: DatabaseKind, options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  return kind === 'pglite' ? openTestPglite(options) : openTestPostgres(options)
}

/** The path of a migrated image, made once a run, for tests that open PGlite folders themselves. */
export async function preparedImage(migrations?: string): Promise<string> {
  return (await ask<{ image: string }>('pglite', migrations ? { migrations } : {})).image
}

/** A machine that has much else to do may be seconds between two statements of a transaction. */
const patience = { idleInTransactionMs: 30_000 }

async function openTestPglite(options: TestDatabaseOptions): Promise<TestDatabase> {
  const image = await preparedImage(options.migrations)
  const fresh = { kind: 'pglite', folder: ':memory:', image, buffers: 'least' } as const
  const { database, backend } = await openPgliteParts({ ...fresh, ...patience, ...options })
  const owner = <Row>(text: string, values: readonly unknown[] = []) =>
    backend.asOwner(async ({ client }) => (await client.query(text, values as unknown[])).rows as Row[])
  await keepSeeds(owner)
  return {
    kind: 'pglite',
    db: database,
    owner,
    reset: () => restoreSeeds(owner),
    close: () => database.close(),
  }
}

async function openTestPostgres(options: TestDatabaseOptions): Promise<TestDatabase> {
  const { url: serverUrl, template } = await ask<{ url: string; template: string }>('postgres', options)
  const name = `test_${randomBytes(6).toString('hex')}`
  await runOnce(serverUrl, `create database ${name} template ${template}`)
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href
  const client = new pg.Client(url)
  await client.connect()
  const owner = async <Row>(text: string, values: readonly unknown[] = []) =>
    (await client.query(text, values as unknown[])).rows as Row[]
  await keepSeeds(owner)
  const db = await openDatabase({ kind: 'postgres', url, ...patience, ...options })
  return {
    kind: 'postgres',
    db,
    owner,
    url,
    reset: () => resetPatiently(owner),
    async close() {
      await db.close()
      const leaks = await findLeaks(owner)
      await client.end()
      await runOnce(serverUrl, `drop database ${name} with (force)`)
      if (leaks.length > 0) throw new Error(`connections were left open:\n${leaks.join('\n')}`)
    },
  }
}

/** What a test has left under way may hold some of the tables that a reset wants all of: then they wait for each other. */
async function resetPatiently(owner: TestDatabase['owner']): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await restoreSeeds(owner)
    } catch (error) {
      if ((error as { code?: unknown }).code !== deadlockDetected || attempt === 10) throw error
    }
  }
}

const deadlockDetected = '40P01'

/** Sessions of this database other than ours, once those that are just ending have had time to do so. */
async function findLeaks(owner: TestDatabase['owner']): Promise<readonly string[]> {
  const deadline = performance.now() + 3_000
  for (;;) {
    const rows = await owner<{ text: string }>(
      `select format('%s %s: %s', application_name, state, query) as text from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`,
    )
    if (rows.length === 0 || performance.now() > deadline) return rows.map((row) => row.text)
  }
}

async function runOnce(url: string, text: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}

async function ask<T>(what: string, { migrations }: TestDatabaseOptions): Promise<T> {
  const url = new URL(`/${what}`, inject('testDatabases'))
  if (migrations) url.searchParams.set('migrations', migrations)
  const response = await fetch(url)
  if (!response.ok) throw new Error(await response.text())
  return (await response.json()) as T
}

const tables = `
  select c.oid::regclass as name, c.relkind = 'p' as partitioned from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and c.relname <> 'migrations'`

/** Copies what the migrations have put into tables to a schema of its own. */
async function keepSeeds(owner: TestDatabase['owner']): Promise<void> {
  await owner(copySeeds)
  await owner(makeReset)
}

/** Empties every table and puts the seeds back. */
async function restoreSeeds(owner: TestDatabase['owner']): Promise<void> {
  const [row] = await owner<{ done: boolean }>('select seeds.reset() as done')
  if (row?.done) return
  // A test has made or dropped tables.
  await owner(makeReset)
  await owner('select seeds.reset()')
}

const copySeeds = `
  create schema if not exists seeds;
  do $$
  declare
    target record;
    found boolean;
  begin
    for target in ${tables} loop
      execute format('select exists (select from %s)', target.name) into found;
      if found then
        execute format('create table seeds.%I as table %s',
          (select relname from pg_class where oid = target.name), target.name);
      end if;
    end loop;
  end $$;`

/**
 * Makes the function that empties what has rows (most tables of a test have none), then copies the seeds back past
 * triggers and foreign keys. Its statements are planned once: looked up and planned anew for each of a hundred tables,
 * they took longer than many a test. What is small is deleted, which is much quicker than files made anew.
 */
const makeReset = `
  do $make$
  declare
    statements text := format(
      $text$if array(select name::oid from (${tables}) tables order by 1) <> %L::oid[] then return false; end if; $text$,
      array(select name::oid from (${tables}) tables order by 1));
    sum_of_parts text := '(select sum(pg_relation_size(relid)) from pg_partition_tree(%L))';
    target record;
    seed record;
  begin
    statements := statements || (
      select format('filled := array[%s]::boolean[]; ',
        string_agg(format('exists (select from %s)', name), ', ' order by name::oid)) from (${tables}) tables);
    for target in select name, partitioned, row_number() over (order by name::oid) as place from (${tables}) tables loop
      statements := statements || format(
        'if filled[%3$s] then
           lock table %1$s in access exclusive mode;
           if %2$s > 131072 then large := large || %1$L::text; else delete from %1$s; end if;
         end if;
         ', target.name, case when target.partitioned then format(sum_of_parts, target.name)
           else format('pg_relation_size(%L)', target.name) end, target.place);
    end loop;
    statements := statements || $text$
      if cardinality(large) > 0 then
        execute 'truncate ' || array_to_string(large, ', ') || ' restart identity cascade';
      end if;
    $text$;
    -- Those of columns that number their rows.
    for seed in select s.oid::regclass as name, q.seqstart
      from pg_class s join pg_sequence q on q.seqrelid = s.oid join pg_depend d on d.objid = s.oid and d.deptype = 'i'
      where s.relnamespace = 'public'::regnamespace
    loop
      statements := statements || format('perform setval(%L, %s, false); ', seed.name, seed.seqstart);
    end loop;
    for seed in
      select c.relname, string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns
      from pg_class c
      join pg_attribute a on a.attrelid = format('public.%I', c.relname)::regclass
        and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
      where c.relnamespace = 'seeds'::regnamespace and c.relkind = 'r'
      group by c.relname
    loop
      statements := statements || format(
        'insert into public.%1$I (%2$s) overriding system value select %2$s from seeds.%1$I; ', seed.relname, seed.columns);
    end loop;
    execute format($text$
      create or replace function seeds.reset() returns boolean language plpgsql
      set session_replication_role = replica set plan_cache_mode = force_generic_plan
      as $reset$ declare filled boolean[]; large text[] := array[]::text[]; begin %s return true; end $reset$ $text$, statements);
  end $make$;`
