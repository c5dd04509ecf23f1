import { join } from 'node:path'
import type { LoadedConfig } from '../foundation/platform/config/load-config.ts'
import type { FolderLock } from '../foundation/platform/data-folder/folder-lock.ts'
import type { Database } from '../foundation/platform/database/database.ts'
import { openDatabase } from '../foundation/platform/database/open-database.ts'

/** Opens the database that the configuration names: the embedded one of the locked folder, or a server. */
export function openConfigured(
  { config, secrets }: LoadedConfig,
  lock: FolderLock,
  onError: (error: unknown) => void,
  /** `brief`: for one short call, which is better served by a quick start than by much memory. */
  { brief = false }: { readonly brief?: boolean } = {},
): Promise<Database> {
  if (config.database.kind === 'pglite') {
    const folder = join(config.dataFolder, 'database')
    return openDatabase({ kind: 'pglite', folder, lock, buffers: brief ? 'least' : 'most', onWarning: onError })
  }
  return openDatabase({
    kind: 'postgres',
    url: secrets.databaseUrl!.reveal(),
    systemUrl: secrets.databaseSystemUrl?.reveal(),
    ownerUrl: secrets.databaseOwnerUrl?.reveal(),
    poolSize: config.database.poolSize,
    migrate: config.database.migrate,
    onWarning: onError,
  })
}
