import pg from 'pg'
import { systemClock } from '../../../kernel/clock.ts'
import { systemRandom } from '../../../kernel/random.ts'
import { createDatabase } from '../create-database.ts'
import type { Database } from '../database.ts'
import { createDatabaseClock } from '../database-clock.ts'
import { translateError } from '../database-errors.ts'
import { createHints } from '../hints.ts'
import { assertMigrated, migrate } from '../migrator.ts'
import type { CommonOptions } from '../open-database.ts'
import { checkServer } from './check-server.ts'
import { createHintListener } from './hint-listener.ts'
import { openPools } from './pools.ts'
import { ownerConfig, type PostgresOptions } from './postgres-options.ts'

/** Migrates, or sees to it that others have, checks the server, then opens both pools and the listening connection. */
export async function openPostgres(options: PostgresOptions & CommonOptions): Promise<Database> {
  const {
    clock = systemClock,
    random = systemRandom,
    onWarning = (error) => process.emitWarning(String(error)),
  } = options
  // Where versions run side by side, the newer one may have added to the schema.
  const prepare = (options.migrate ?? true) ? migrate : assertMigrated
  await withOwner<unknown>(options, (owner) => prepare(owner, options.migrations, { mayBeAhead: true }))
  const mode = await checkServer(options)
  const pools = openPools(options, mode)
  const listener = createHintListener(options, {
    mode,
    random,
    deliver: (hint) => hints.deliver(hint),
  })
  const hints = createHints({ carrier: listener, onError: onWarning })
  try {
    await listener.connect()
  } catch (error) {
    await pools.close()
    throw translateError(error)
  }
  const databaseClock = createDatabaseClock({
    local: clock,
    sample: () => listener.measureClock(() => clock.monotonic()),
  })
  await databaseClock.measure()
  return createDatabase({
    kind: 'postgres',
    backend: pools,
    clock: databaseClock,
    hints,
    random,
    onWarning,
    async close() {
      databaseClock.close()
      await Promise.all([pools.close(), listener.close()])
    },
  })
}

/** Runs `fn` on a connection of the owner of the tables. */
export async function withOwner<T>(options: PostgresOptions, fn: (owner: pg.Client) => Promise<T>): Promise<T> {
  const owner = new pg.Client(ownerConfig(options))
  owner.on('error', () => undefined)
  try {
    await owner.connect()
    await owner.query(`set timezone = 'UTC'; set datestyle = 'ISO'`)
    return await fn(owner)
  } catch (error) {
    throw translateError(error)
  } finally {
    await owner.end()
  }
}
