import { setTimeout as delay } from 'node:timers/promises'
import type { ClientBase } from 'pg'
import { type AppError, defineErrors } from '../../kernel/errors.ts'
import { isServerError, sqlStateOf, translateError } from './database-errors.ts'
import { type Migration, readMigrations } from './migration-files.ts'

const errors = defineErrors({
  'database-ahead': {
    kind: 'conflict',
    retry: 'never',
    when: 'the database has migrations that this version of the program does not know; on PostgreSQL those of low risk, which only add, are no hindrance',
    next: 'run the version of leanvibe that last ran on this database, or a newer one',
  },
  'database-behind': {
    kind: 'conflict',
    retry: 'never',
    when: 'the database lacks migrations and the program was told not to run them',
    next: 'start a process that may migrate first: one without `database.migrate: false`, whose login owns the tables',
  },
  'migration-changed': {
    kind: 'conflict',
    retry: 'never',
    when: 'a migration that was applied to the database has another text now',
    next: 'restore the text of the migration and put the change into a new one',
  },
  'migration-failed': {
    kind: 'internal',
    retry: 'never',
    when: 'a statement of a migration failed; the migration was rolled back as a whole',
    next: 'correct what the message names, then start again',
  },
})

/** The part of a pg client that migrations need. */
export type OwnerClient = Pick<ClientBase, 'query'>

interface AppliedRow {
  readonly version: number
  readonly name: string
  readonly risk: string
  readonly checksum: string
}

export interface MigrateOptions {
  /** Whether a database with further migrations will do if they only add (risk `low`): for versions that run side by side. Default false. */
  readonly mayBeAhead?: boolean
}

export interface MigrateResult {
  /** Names of the migrations that this call applied. */
  readonly applied: readonly string[]
  /** The version of the schema now. */
  readonly version: number
}

/**
 * Brings the schema up to date as the owner of the tables. Any number of processes may do so at once: the row of the
 * version is inserted first in the transaction of its migration, so the slower ones wait there and then move on.
 */
export async function migrate(
  owner: OwnerClient,
  folder?: string,
  options: MigrateOptions = {},
): Promise<MigrateResult> {
  const migrations = await readMigrations(folder)
  await createVersionTable(owner)
  const applied: string[] = []
  for (;;) {
    const next = findNext(migrations, await readApplied(owner), options)
    if (!next) return { applied, version: migrations.length - 1 }
    if (await applyPatiently(owner, next)) applied.push(next.name)
  }
}

/** Refuses a schema that is not the one of the migrations. */
export async function assertMigrated(owner: OwnerClient, folder?: string, options: MigrateOptions = {}): Promise<void> {
  const migrations = await readMigrations(folder)
  const found = await owner.query<{ found: boolean }>(`select to_regclass('public.migrations') is not null as found`)
  const next = findNext(migrations, found.rows[0]?.found ? await readApplied(owner) : [], options)
  if (next) throw errors['database-behind'](`the database lacks the migration ${next.name}`)
}

function findNext(
  migrations: readonly Migration[],
  applied: readonly AppliedRow[],
  { mayBeAhead = false }: MigrateOptions,
): Migration | undefined {
  for (const row of applied) {
    const migration = migrations[row.version]
    if (!migration && mayBeAhead && row.risk === 'low') continue
    if (!migration) throw errors['database-ahead'](`the database has the migration ${row.name}, unknown here`)
    if (migration.checksum !== row.checksum) {
      throw errors['migration-changed'](`${row.name} differs from the text that was applied to this database`)
    }
  }
  return migrations[applied.length]
}

async function readApplied(owner: OwnerClient): Promise<readonly AppliedRow[]> {
  return (await owner.query<AppliedRow>('select version, name, risk, checksum from migrations order by version')).rows
}

/** The lock is needed here alone: two `create table if not exists` at once make one of them fail. */
async function createVersionTable(owner: OwnerClient): Promise<void> {
  await inTransaction(
    owner,
    `select pg_advisory_xact_lock(7235061921);
    create table if not exists migrations (
      version int primary key,
      name text not null,
      risk text not null,
      checksum text not null,
      applied_at timestamptz not null default now()
    )`,
  )
}

/**
 * Beside older programs that are at work, changes of several tables may meet their statements head-on: then they give way,
 * and are tried again a little later.
 */
async function applyPatiently(owner: OwnerClient, migration: Migration): Promise<boolean> {
  for (let tried = 1; ; tried++) {
    try {
      return await applyMigration(owner, migration)
    } catch (error) {
      const { cause } = error as AppError
      if (tried === mostTries || !isServerError(cause) || !gaveWay.has(sqlStateOf(cause) ?? '')) throw error
      await delay(pauseMs * tried)
    }
  }
}

const mostTries = 12
const pauseMs = 250
/** Deadlock, lock not had in time, serialisation. */
const gaveWay: ReadonlySet<string> = new Set(['40P01', '55P03', '40001'])

/** Returns false if another process was faster. */
async function applyMigration(owner: OwnerClient, migration: Migration): Promise<boolean> {
  const { version, name, risk, checksum, text } = migration
  await owner.query('begin')
  try {
    await owner.query({
      text: 'insert into migrations (version, name, risk, checksum) values ($1, $2, $3, $4)',
      values: [version, name, risk, checksum],
    })
    // Whoever wants the same table waits behind us: not for long.
    await owner.query(`set local lock_timeout = '2s'`)
    await owner.query(text)
    await owner.query('reset role; select apply_access_rules()')
    await owner.query('commit')
    return true
  } catch (error) {
    await owner.query('rollback')
    if (sqlStateOf(error) === '23505' && isServerError(error) && error.table === 'migrations') return false
    throw explain(error, migration)
  }
}

async function inTransaction(owner: OwnerClient, text: string): Promise<void> {
  try {
    await owner.query(`begin; ${text}; commit`)
  } catch (error) {
    await owner.query('rollback')
    throw translateError(error)
  }
}

function explain(error: unknown, { name, text }: Migration): AppError {
  if (!isServerError(error)) return translateError(error)
  const position = Number((error as { position?: string }).position)
  const line = position > 0 ? ` (line ${text.slice(0, position).split('\n').length})` : ''
  return errors['migration-failed'](`${name}${line}: ${error.message}`, { cause: error, details: { name } })
}
