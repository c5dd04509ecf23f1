import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../../kernel/clock.ts'
import { systemRandom } from '../../../kernel/random.ts'
import { createDatabase } from '../create-database.ts'
import type { Database } from '../database.ts'
import { translateError } from '../database-errors.ts'
import { createHints } from '../hints.ts'
import { assertMigrated, migrate } from '../migrator.ts'
import type { CommonOptions } from '../open-database.ts'
import { findImage, unpackImage } from './image.ts'
import { createPgliteBackend, type PgliteBackend } from './pglite-backend.ts'
import type { PgliteOptions } from './pglite-options.ts'
import { startPgliteServer } from './pglite-server.ts'

/** Locks the data folder, creates the database in it if there is none, and migrates it. */
export async function openPglite(options: PgliteOptions & CommonOptions): Promise<Database> {
  return (await openPgliteParts(options)).database
}

/** The database together with its engine, for upkeep and tests. */
export async function openPgliteParts(
  options: PgliteOptions & CommonOptions,
): Promise<{ database: Database; backend: PgliteBackend }> {
  const {
    clock = systemClock,
    random = systemRandom,
    onWarning = (error) => process.emitWarning(String(error)),
  } = options
  const image = options.image ?? (await findImage(options.migrations))
  const inMemory = options.folder === ':memory:'
  const dataDir = inMemory ? undefined : join(options.folder, 'pglite')
  if (dataDir && !existsSync(join(dataDir, 'PG_VERSION'))) {
    await mkdir(options.folder, { recursive: true })
    if (image) await unpackImage(image, dataDir)
  }
  const first = await startPgliteServer({ dataDir, image: inMemory ? image : undefined })
  try {
    await ((options.migrate ?? true) ? migrate : assertMigrated)(first.client, options.migrations)
  } catch (error) {
    await first.close()
    throw translateError(error)
  }
  const backend = createPgliteBackend(first, {
    restart: () => startPgliteServer({ dataDir, image: undefined }),
    restartable: !inMemory,
    idleInTransactionMs: options.idleInTransactionMs ?? 1_000,
  })
  const database = createDatabase({
    kind: 'pglite',
    backend,
    // One process owns the database, so its clock is the database's.
    clock,
    hints: createHints({ onError: onWarning }),
    random,
    onWarning,
    close: () => backend.close(),
  })
  return { database, backend }
}
