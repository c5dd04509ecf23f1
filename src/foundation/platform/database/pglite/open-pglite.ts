import { existsSync } from 'node:fs'
import { access, constants, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../../kernel/clock.ts'
import { systemRandom } from '../../../kernel/random.ts'
import { folderError } from '../../data-folder/data-folder-errors.ts'
import { type FolderLock, lockFolder } from '../../data-folder/folder-lock.ts'
import { createDatabase } from '../create-database.ts'
import type { Database } from '../database.ts'
import { translateError } from '../database-errors.ts'
import { createHints } from '../hints.ts'
import { assertMigrated, migrate } from '../migrator.ts'
import type { CommonOptions } from '../open-database.ts'
import { availableMemory, bufferMemoryFor, leastBufferMemory } from './buffer-memory.ts'
import { findImage, obtainImage, unpackImage } from './image.ts'
import { createPgliteBackend, type PgliteBackend } from './pglite-backend.ts'
import { pgliteErrors } from './pglite-errors.ts'
import type { PgliteOptions } from './pglite-options.ts'
import { type PgliteServer, startPgliteServer } from './pglite-server.ts'
import { startUpkeep } from './upkeep.ts'

/** The major version of PostgreSQL inside PGlite. */
export const pgliteMajor = '18'

export type OpenPgliteOptions = PgliteOptions & CommonOptions

/** Locks the data folder, creates the database in it if there is none, and migrates it. */
export async function openPglite(options: OpenPgliteOptions): Promise<Database> {
  return (await openPgliteParts(options)).database
}

export interface PgliteParts {
  readonly database: Database
  readonly backend: PgliteBackend
}

/** The database together with its engine, for upkeep and tests. */
export async function openPgliteParts(options: OpenPgliteOptions): Promise<PgliteParts> {
  const inMemory = options.folder === ':memory:'
  const lock = inMemory ? undefined : (options.lock ?? (await lockFolder(options.folder)))
  const unlock = async () => {
    if (!options.lock) await lock?.release()
  }
  try {
    const image = inMemory ? (options.image ?? (await findImage(options.migrations))) : undefined
    const dataDir = inMemory ? undefined : await prepareDataDir(options)
    const bufferMiB = options.buffers === 'least' ? leastBufferMemory : bufferMemoryFor(availableMemory())
    return await assemble(options, () => startPgliteServer({ dataDir, image, bufferMiB }), lock, unlock)
  } catch (error) {
    await unlock()
    throw translateError(error)
  }
}

async function assemble(
  options: OpenPgliteOptions,
  start: () => Promise<PgliteServer>,
  lock: FolderLock | undefined,
  unlock: () => Promise<void>,
): Promise<PgliteParts> {
  const {
    clock = systemClock,
    random = systemRandom,
    onWarning = (error) => process.emitWarning(String(error)),
  } = options
  const server = await start()
  try {
    await ((options.migrate ?? true) ? migrate : assertMigrated)(server.client, options.migrations)
  } catch (error) {
    await server.close()
    throw error
  }
  const backend = createPgliteBackend(server, {
    restart: lock ? start : undefined,
    idleInTransactionMs: options.idleInTransactionMs ?? 1_000,
  })
  const upkeepMs = options.upkeepMs ?? 1_000
  const stopUpkeep = upkeepMs > 0 ? startUpkeep(backend, upkeepMs, onWarning) : async () => undefined
  lock?.lost.addEventListener('abort', () => {
    backend.fail(pgliteErrors['data-folder-taken-over'](`${lock.folder} was taken over by another process`))
  })
  const database = createDatabase({
    kind: 'pglite',
    backend,
    // One process owns the database, so its clock is the database's.
    clock,
    hints: createHints({ onError: onWarning }),
    random,
    onWarning,
    async close() {
      await stopUpkeep()
      await backend.close()
      await unlock()
    },
  })
  return { database, backend }
}

/** The folder of the PostgreSQL data, made from an image if it is not there yet. */
async function prepareDataDir({ folder, image, migrations }: OpenPgliteOptions): Promise<string> {
  const dataDir = join(folder, 'pglite')
  try {
    if (existsSync(dataDir)) await assertVersion(dataDir)
    else await unpackImage(image ?? (await obtainImage(migrations)), dataDir)
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
    return dataDir
  } catch (error) {
    throw folderError(folder, error)
  }
}

async function assertVersion(dataDir: string): Promise<void> {
  const found = (await readFile(join(dataDir, 'PG_VERSION'), 'utf8')).trim()
  if (found === pgliteMajor) return
  const text = `${dataDir} was written by PostgreSQL ${found}; the embedded database is PostgreSQL ${pgliteMajor}`
  throw pgliteErrors['data-folder-other-version'](text, { details: { found, expected: pgliteMajor } })
}
