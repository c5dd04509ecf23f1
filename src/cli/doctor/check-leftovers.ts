import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { cleanLeftovers, findLeftovers, type Leftovers } from '../../app/leftovers.ts'
import type { LoadedConfig } from '../../foundation/platform/config/load-config.ts'
import { folderError } from '../../foundation/platform/data-folder/data-folder-errors.ts'
import { findHolder } from '../../foundation/platform/data-folder/folder-lock.ts'
import { plural } from '../text.ts'
import type { Check } from './check.ts'

/** Names that are only ever there for the moment of a write. */
const drafts = /^\.(lock|server)-|\.part$|\.new$/

/** What crashes have left in the data folder. With `fix` it is removed, unless a process uses the folder. */
export async function checkLeftovers(loaded: LoadedConfig, fix: boolean): Promise<readonly Check[]> {
  const folder = loaded.config.dataFolder
  const files = await draftsIn(folder)
  const found = await findLeftovers(loaded)
  const detail = describe(files.length, found)
  if (detail === null) return [{ name: 'leftovers', status: 'ok', detail: 'none' }]
  if (!fix) return [{ name: 'leftovers', status: 'warn', detail, next: 'leanvibe doctor --fix' }]
  if ((await findHolder(folder)) !== undefined) {
    return [{ name: 'leftovers', status: 'warn', detail, next: 'stop the server first: it may be using them' }]
  }
  for (const file of files) await rm(file, { force: true })
  const cleaned = await cleanLeftovers(loaded)
  const removed: Check = { name: 'leftovers', status: 'ok', detail: `${detail}: removed` }
  if (cleaned.busy.length === 0) return [removed]
  const processes = cleaned.busy.flatMap((each) => each.processes).join(', ')
  return [
    {
      name: 'leftovers',
      status: 'warn',
      detail: `in use by the processes ${processes}`,
      next: 'end these processes, then try again',
    },
  ]
}

function describe(files: number, { workspaces, busy, places }: Leftovers): string | null {
  const parts: string[] = []
  if (files > 0) parts.push(plural(files, 'unfinished file'))
  if (workspaces.length > 0) parts.push(plural(workspaces.length, 'workspace'))
  if (places.length > 0)
    parts.push(`${plural(places.length, 'container')} or objects of clusters (${places.slice(0, 3).join(', ')})`)
  if (busy.length > 0) parts.push(`${plural(busy.length, 'workspace')} with processes that still run`)
  return parts.length === 0 ? null : parts.join(', ')
}

async function draftsIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw folderError(folder, error)
  })
  const found: string[] = []
  for (const name of names.filter((each) => drafts.test(each))) {
    if ((await stat(join(folder, name))).isFile()) found.push(join(folder, name))
  }
  return found
}
