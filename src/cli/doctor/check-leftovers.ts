import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoadedConfig } from '../../foundation/platform/config/load-config.ts'
import { findHolder } from '../../foundation/platform/data-folder/folder-lock.ts'
import { plural } from '../text.ts'
import type { Check } from './check.ts'

/** Names that are only ever there for the moment of a write. */
const drafts = /^\.(lock|server)-|\.part$|\.new$/

/** What crashes have left in the data folder. With `fix` it is removed, unless a process uses the folder. */
export async function checkLeftovers({ config }: LoadedConfig, fix: boolean): Promise<readonly Check[]> {
  const folder = config.dataFolder
  const found = await draftsIn(folder)
  if (found.length === 0) return [{ name: 'leftovers', status: 'ok', detail: 'none' }]
  const detail = `${plural(found.length, 'unfinished file')} in ${folder}`
  if (!fix) return [{ name: 'leftovers', status: 'warn', detail, next: 'leanvibe doctor --fix' }]
  if ((await findHolder(folder)) !== undefined) {
    return [{ name: 'leftovers', status: 'warn', detail, next: 'stop the server first: it may be writing them' }]
  }
  for (const file of found) await rm(file, { force: true })
  return [{ name: 'leftovers', status: 'ok', detail: `${detail}: removed` }]
}

async function draftsIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const found: string[] = []
  for (const name of names.filter((each) => drafts.test(each))) {
    if ((await stat(join(folder, name))).isFile()) found.push(join(folder, name))
  }
  return found
}
