import { join } from 'node:path'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { FolderLock } from '../foundation/platform/data-folder/folder-lock.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import { openDatabase } from '../foundation/platform/database/open-database.ts'
import { refuseMoved } from './migrate/refuse-moved.ts'

/** Limits of a session that moves the database away, in ms. */
export interface MovingLimits {
  readonly idleInTransactionMs: number
  readonly statementTimeoutMs: number
  readonly answerTimeoutMs: number
}

/**
 * Opens the database that the configuration names: the embedded one of the locked folder, or a server. Errors:
 * `database-moved`, and those of both kinds.
 */
export async function openConfigured(
  { config, secrets }: LoadedConfig,
  lock: FolderLock,
  onError: (error: unknown) => void,
  /** `brief`: for one short call, which is better served by a quick start than by much memory. */
  { brief = false, moving }: { readonly brief?: boolean; readonly moving?: MovingLimits } = {},
): Promise<Database> {
  const database = await open({ config, secrets }, lock, onError, brief, moving)
  return moving === undefined ? refuseMoved(database) : database
}

function open(
  { config, secrets }: Pick<LoadedConfig, 'config' | 'secrets'>,
  lock: FolderLock,
  onError: (error: unknown) => void,
  brief: boolean,
  moving: MovingLimits | undefined,
): Promise<Database> {
  if (config.database.kind === 'pglite') {
    const folder = join(config.dataFolder, 'database')
    return openDatabase({
      kind: 'pglite',
      folder,
      lock,
      buffers: brief ? 'least' : 'most',
      onWarning: onError,
      ...moving,
    })
  }
  return openDatabase({
    kind: 'postgres',
    url: secrets.databaseUrl!.reveal(),
    systemUrl: secrets.databaseSystemUrl?.reveal(),
    ownerUrl: secrets.databaseOwnerUrl?.reveal(),
    poolSize: config.database.poolSize,
    migrate: config.database.migrate,
    onWarning: onError,
    ...(moving === undefined ? {} : { ...moving, applicationName: 'leanvibe migrate-to' }),
  })
}
