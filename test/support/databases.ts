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
  await owner(keepSeeds)
  return {
    kind: 'pglite',
    db: database,
    owner,
    reset: async () => void (await owner(restoreSeeds)),
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
  await owner(keepSeeds)
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
      return void (await owner(restoreSeeds))
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
  select c.oid::regclass as name from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and c.relname <> 'migrations'`

/** Copies what the migrations have put into tables to a schema of its own. */
const keepSeeds = `
  create schema if not exists seeds;
  do $$
  declare
    target regclass;
    found boolean;
  begin
    for target in ${tables} loop
      execute format('select exists (select from %s)', target) into found;
      if found then
        execute format('create table seeds.%I as table %s', (select relname from pg_class where oid = target), target);
      end if;
    end loop;
  end $$;`

/** Truncates what has rows (most tables of a test have none), then copies the seeds back past triggers and foreign keys. */
const restoreSeeds = `
  do $$
  declare
    target regclass;
    found boolean;
    full_ones text[] := '{}';
    seed record;
  begin
    for target in ${tables} loop
      execute format('select exists (select from %s)', target) into found;
      if found then
        full_ones := full_ones || target::text;
      end if;
    end loop;
    if cardinality(full_ones) > 0 then
      execute format('truncate %s restart identity cascade', array_to_string(full_ones, ', '));
    end if;
    set local session_replication_role = replica;
    for seed in
      select c.relname, string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns
      from pg_class c
      join pg_attribute a on a.attrelid = format('public.%I', c.relname)::regclass
        and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
      where c.relnamespace = 'seeds'::regnamespace
      group by c.relname
    loop
      execute format('insert into public.%1$I (%2$s) overriding system value select %2$s from seeds.%1$I',
        seed.relname, seed.columns);
    end loop;
  end $$;`
