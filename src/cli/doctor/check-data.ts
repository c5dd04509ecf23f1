import { access, mkdtemp, rmdir, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isAppError, messageOf } from '../../foundation/kernel/errors.ts'
import type { LoadedConfig } from '../../foundation/platform/config/load-config.ts'
import { findHolder } from '../../foundation/platform/data-folder/folder-lock.ts'
import { findServer } from '../connect.ts'
import { formatBytes } from '../text.ts'
import type { Check } from './check.ts'

const lowDisk = 1_073_741_824

export async function checkDataFolder(folder: string): Promise<Check> {
  const there = await nearestFolder(folder)
  try {
    // Neither permissions nor the user say whether a file system takes new folders: only making one does.
    await rmdir(await mkdtemp(join(there, '.leanvibe-doctor-')))
  } catch (error) {
    return {
      name: 'data folder',
      status: 'bad',
      detail: `${folder}: ${messageOf(error)}`,
      next: 'name a folder you can write to with --data or LEANVIBE_DATA',
    }
  }
  const { bavail, bsize } = await statfs(there)
  const free = bavail * bsize
  const detail = `${folder}${there === folder ? '' : ' (not made yet)'}, ${formatBytes(free)} free`
  return free < lowDisk
    ? { name: 'data folder', status: 'warn', detail, next: 'free some space' }
    : { name: 'data folder', status: 'ok', detail }
}

export async function checkServer(folder: string): Promise<Check> {
  const holder = await findHolder(folder)
  if (holder === undefined)
    return { name: 'server', status: 'note', detail: 'none runs; a command that needs one starts it for itself' }
  const client = await findServer(folder)
  if (client !== null) return { name: 'server', status: 'ok', detail: `process ${holder.pid} serves ${client.url}` }
  return {
    name: 'server',
    status: 'warn',
    detail: `process ${holder.pid} on ${holder.host} holds the folder but does not answer`,
    next: 'wait until it has started or ended, or stop it',
  }
}

export async function checkDatabase({ config, secrets }: LoadedConfig): Promise<Check> {
  if (config.database.kind === 'pglite') {
    return { name: 'database', status: 'ok', detail: 'embedded; it survives a crash of the program, not a power cut' }
  }
  const { default: pg } = await import('pg')
  const client = new pg.Client({
    connectionString: secrets.databaseUrl!.reveal(),
    connectionTimeoutMillis: 5_000,
    query_timeout: 5_000,
  })
  try {
    await client.connect()
    const { rows } = await client.query('show server_version')
    const version = String(rows[0]?.server_version ?? 'unknown')
    if (Number.parseInt(version, 10) >= 15) return { name: 'database', status: 'ok', detail: `PostgreSQL ${version}` }
    return {
      name: 'database',
      status: 'bad',
      detail: `PostgreSQL ${version} is too old`,
      next: 'use PostgreSQL 15 or newer',
    }
  } catch (error) {
    const reason = secrets.mask(messageOf(error) || (error as NodeJS.ErrnoException).code || 'no answer')
    return {
      name: 'database',
      status: 'bad',
      detail: `PostgreSQL does not answer: ${reason}`,
      next: 'check DATABASE_URL and that the server runs',
    }
  } finally {
    await client.end().catch(() => {})
  }
}

/** The configuration as a check: its faults are findings here, not the end of the report. */
export async function checkConfig(
  load: () => Promise<LoadedConfig>,
): Promise<{ check: Check; loaded: LoadedConfig | null }> {
  try {
    const loaded = await load()
    const file = loaded.config.project.configFile
    return { check: { name: 'configuration', status: 'ok', detail: file ?? 'no leanvibe.yaml: the defaults' }, loaded }
  } catch (error) {
    if (!isAppError(error)) throw error
    return { check: { name: 'configuration', status: 'bad', detail: error.message, next: error.next }, loaded: null }
  }
}

async function nearestFolder(folder: string): Promise<string> {
  for (let there = folder; ; there = dirname(there)) {
    const exists = await access(there).then(
      () => true,
      () => false,
    )
    if (exists || dirname(there) === there) return there
  }
}
