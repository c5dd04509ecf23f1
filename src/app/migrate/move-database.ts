import { existsSync } from 'node:fs'
import { copyFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isAppError } from '../../foundation/kernel/errors.ts'
import { armFailpoints } from '../../foundation/kernel/failpoints.ts'
import { systemIds } from '../../foundation/kernel/ids.ts'
import { openBlobStore } from '../../foundation/platform/blobs/index.ts'
import type { LoadedConfig } from '../../foundation/platform/config/load-config.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { openDatabase } from '../../foundation/platform/database/open-database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { openConfigured } from '../open-configured.ts'
import { lockDataFolder } from '../prepare-data-folder.ts'
import { type CopiedBlobs, copyBlobs } from './copy-blobs.ts'
import { type CopiedDatabase, type CopyProgress, copyDatabase } from './copy-database.ts'
import { migrateErrors } from './migrate-errors.ts'
import { type MovePlace, shownUrl } from './move-place.ts'
import { deleteMovesOut, endMove, insertMove, type Move, readMoves } from './moves-store.ts'

export interface MoveOptions {
  readonly signal: AbortSignal
  readonly onProgress: (progress: CopyProgress | ({ readonly phase: 'blobs' } & CopiedBlobs)) => void
  readonly onWarning: (error: unknown) => void
}

export interface MoveResult {
  readonly from: string
  readonly to: string
  /** Null where it was found that an earlier call, which broke off at its very end, had copied everything. */
  readonly copied: CopiedDatabase | null
  /** Null where blobs stay where they are. */
  readonly blobs: CopiedBlobs | null
  /** Where the blobs are, if they stay. */
  readonly blobsStay: 'folder' | 's3' | null
}

/** Copies may take long between two statements, and statements on large tables too. */
const patient = { idleInTransactionMs: 3_600_000, statementTimeoutMs: 3_600_000, answerTimeoutMs: 3_600_000 }

/**
 * Moves the configured database to another place: rows, then and there checked, and blobs. Runs in flight go on there. The
 * former place is kept and refuses to be opened. A call that broke off, however it did, is repeated.
 * Errors: those of migrate-errors.ts, of both databases and of the data folders.
 */
export async function moveDatabase(loaded: LoadedConfig, place: MovePlace, options: MoveOptions): Promise<MoveResult> {
  const { config, secrets } = loaded
  const from = config.database.kind === 'postgres' ? shownUrl(secrets.databaseUrl!.reveal()) : config.dataFolder
  if (config.database.kind === 'pglite' && place.kind === 'pglite') {
    throw migrateErrors['move-place-unknown']('an embedded database is moved to another folder by moving its folder')
  }
  if (from === place.shown) throw migrateErrors['move-place-unknown'](`the database is at ${from} already`)
  if (config.failpoints !== null) armFailpoints(config.failpoints)
  await using opened = new AsyncDisposableStack()
  const lock = await lockDataFolder(config.dataFolder)
  opened.defer(() => lock.release())
  const source = await openSource(loaded, lock, options)
  opened.defer(() => source.close())
  await assertUnused(source, options.signal)
  const target = await openTarget(place, config.dataFolder, options)
  opened.defer(() => target.close())
  const move = await beginMove(source, place.shown)
  const done = await target.database.asSystem('moves').read(readMoves)
  let copied: CopiedDatabase | null = null
  let blobs: CopiedBlobs | null = null
  const stores = storesOf(loaded, source, target)
  const tell: MoveOptions['onProgress'] = (progress) => {
    options.signal.throwIfAborted()
    options.onProgress(progress)
  }
  if (!done.some(({ id }) => id === move.id)) {
    try {
      if (stores !== null) {
        blobs = await copyBlobs(stores.from, stores.to, options.signal, (each) => tell({ phase: 'blobs', ...each }))
      }
      copied = await copyDatabase(source, target.database, { ...move, place: from }, tell)
    } catch (error) {
      if (await isNowhere(target.database, move, error)) await source.asSystem('moves').write(deleteMovesOut)
      throw error
    }
  }
  if (target.dataFolder !== config.dataFolder) await copyKey(config.dataFolder, target.dataFolder)
  await target.settle()
  await source.asSystem('moves').write((tx) => endMove(tx, move.id, source.clock.now()))
  const stays = stores === null ? (config.blobs?.kind as 'folder' | 's3') : null
  return { from, to: place.shown, copied, blobs, blobsStay: stays }
}

/** Makes the configured database the one that counts again. Returns false where it had not moved. */
export async function takeBack(loaded: LoadedConfig, options: Pick<MoveOptions, 'onWarning'>): Promise<boolean> {
  await using opened = new AsyncDisposableStack()
  const lock = await lockDataFolder(loaded.config.dataFolder)
  opened.defer(() => lock.release())
  const database = await openSource(loaded, lock, options)
  opened.defer(() => database.close())
  return (await database.asSystem('moves').write(deleteMovesOut)) > 0
}

/** Secrets of webhooks are made from it: another key would make others. */
async function copyKey(from: string, to: string): Promise<void> {
  const path = join(from, 'webhook-key')
  if (existsSync(path)) await copyFile(path, join(to, 'webhook-key'))
}

function openSource(
  loaded: LoadedConfig,
  lock: Parameters<typeof openConfigured>[1],
  options: Pick<MoveOptions, 'onWarning'>,
) {
  return openConfigured(loaded, lock, options.onWarning, { moving: patient })
}

interface Target {
  readonly database: Database
  readonly dataFolder: string
  /** Makes what was copied the database of its place. */
  settle(): Promise<void>
  close(): Promise<void>
}

async function openTarget(place: MovePlace, dataFolder: string, { onWarning }: MoveOptions): Promise<Target> {
  if (place.kind === 'postgres') {
    const database = await openDatabase({ kind: 'postgres', url: place.url, ...patient, onWarning })
    return { database, dataFolder, settle: async () => {}, close: () => database.close() }
  }
  const final = join(place.folder, 'database')
  if (existsSync(final)) throw migrateErrors['move-target-not-empty'](`there is a database in ${final}`)
  // The folder of PostgreSQL's data folder of this project, whose lock is taken, may be the one.
  const lock = place.folder === dataFolder ? undefined : await lockDataFolder(place.folder)
  // Nobody takes it for a database before it is whole.
  const incoming = `${final}.incoming`
  await rm(incoming, { recursive: true, force: true })
  const database = await openDatabase({ kind: 'pglite', folder: incoming, ...patient, onWarning })
  return {
    database,
    dataFolder: place.folder,
    async settle() {
      await database.close()
      await rename(incoming, final)
    },
    async close() {
      await database.close()
      await rm(incoming, { recursive: true, force: true })
      await lock?.release()
    },
  }
}

/** Whether it is certain that a copy that failed left nothing: then the source may be opened as before. */
async function isNowhere(target: Database, { id }: Move, error: unknown): Promise<boolean> {
  if (isAppError(error, 'commit-unknown')) return false
  const there = await target
    .asSystem('moves')
    .read(readMoves)
    .catch(() => null)
  return there?.some((move) => move.id === id) === false
}

/** Null where both use the same place, because the configuration names one outside of both databases. */
function storesOf({ config, env }: LoadedConfig, source: Database, { database, dataFolder }: Target) {
  const { blobs: location } = config
  if (location !== null && location.kind !== 'postgres') return null
  const variable = (name: string) => env.variable(name)
  return {
    from: openBlobStore({ location, dataFolder: config.dataFolder, database: source, variable }),
    to: openBlobStore({ location, dataFolder, database, variable }),
  }
}

/** The move to this place that was begun and not seen to end, or a new one. */
async function beginMove(source: Database, place: string): Promise<Move> {
  return source.asSystem('moves').write(async (tx) => {
    const former = (await readMoves(tx)).find(({ direction }) => direction === 'out')
    if (former !== undefined && former.endedAt === null && former.place === place) return former
    if (former !== undefined) {
      throw migrateErrors['database-moved'](
        `this database ${former.endedAt === null ? 'is on its way' : 'was moved'} to ${former.place}`,
      )
    }
    const move: Move = {
      id: systemIds.next('mov'),
      direction: 'out',
      place,
      begunAt: source.clock.now(),
      endedAt: null,
    }
    await insertMove(tx, move)
    return move
  })
}

/** How long connections of processes that have just ended may take to go. */
const goneWithinMs = 10_000

/** Servers and runners keep connections open. Errors: `move-source-in-use`. */
async function assertUnused(source: Database, signal: AbortSignal): Promise<void> {
  if (source.kind === 'pglite') return
  const deadline = performance.now() + goneWithinMs
  for (;;) {
    // Our own sessions have a name of their own.
    const [row] = await source.asSystem('moves').read((tx) =>
      tx.query<{ others: number }>(sql`
        select count(*)::int as others from pg_stat_activity
        where datname = current_database() and application_name = 'leanvibe'`),
    )
    if (row!.others === 0) return
    if (performance.now() > deadline) {
      throw migrateErrors['move-source-in-use'](`${row!.others} connections of leanvibe are open on it`)
    }
    await delay(200, undefined, { signal })
  }
}
