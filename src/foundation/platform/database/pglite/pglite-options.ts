import type { FolderLock } from '../../data-folder/folder-lock.ts'

export interface PgliteOptions {
  readonly kind: 'pglite'
  /** The data folder, or `:memory:` for a database that is gone when it is closed. */
  readonly folder: string
  /** The lock on the folder if the caller holds it already, and will release it. Default: taken here until `close`. */
  readonly lock?: FolderLock | undefined
  /** Default 1000: a transaction that does nothing for so long is rolled back. */
  readonly idleInTransactionMs?: number | undefined
  /** A migrated image to start new databases from (see prepareImage). Default: the packaged or prepared one. */
  readonly image?: string | undefined
  /** Memory for pages: what suits the machine, or the least, which starts a quarter of a second faster. Default `most`. */
  readonly buffers?: 'most' | 'least' | undefined
  /** How often to look whether VACUUM, ANALYZE or CHECKPOINT are due. Default 1000; 0 leaves upkeep to the caller. */
  readonly upkeepMs?: number | undefined
}
