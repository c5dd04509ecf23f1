import type { Clock } from '../../kernel/clock.ts'
import type { Random } from '../../kernel/random.ts'
import type { Database } from './database.ts'
import { openPglite } from './pglite/open-pglite.ts'
import type { PgliteOptions } from './pglite/pglite-options.ts'
import { openPostgres } from './postgres/open-postgres.ts'
import type { PostgresOptions } from './postgres/postgres-options.ts'

export type { PgliteOptions, PostgresOptions }

export interface CommonOptions {
  /** The folder of the migrations. Default: `migrations/` of the package. */
  readonly migrations?: string | undefined
  /** Whether to bring the schema up to date first. Default true; false still refuses a schema that does not fit. */
  readonly migrate?: boolean | undefined
  /** The local clock that database time is derived from. */
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
  /** Told of errors that no caller can hear: hooks, listeners, upkeep. Default: a process warning. */
  readonly onWarning?: ((error: unknown) => void) | undefined
}

export type OpenDatabaseOptions = CommonOptions & (PgliteOptions | PostgresOptions)

/** Opens either kind of database, with its schema up to date. Errors: the registry in database-errors.ts and those of the kinds. */
export function openDatabase(options: OpenDatabaseOptions): Promise<Database> {
  return options.kind === 'pglite' ? openPglite(options) : openPostgres(options)
}
