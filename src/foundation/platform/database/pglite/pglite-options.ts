export interface PgliteOptions {
  readonly kind: 'pglite'
  /** The data folder, or `:memory:` for a database that is gone when it is closed. */
  readonly folder: string
  /** Default 1000: a transaction that does nothing for so long is rolled back. */
  readonly idleInTransactionMs?: number | undefined
  /** A migrated image to start new databases from (see prepareImage). Default: prepared in the cache folder. */
  readonly image?: string | undefined
}
