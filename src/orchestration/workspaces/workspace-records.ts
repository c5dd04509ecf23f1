import { lstat, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { type ProcessTable, processScope } from '../../foundation/platform/processes/index.ts'
import { removeFolder } from './remove-folder.ts'
import type { Workspace, WorkspaceRecord, WorkspaceTree } from './workspace.ts'

const recordName = 'workspace.json'
/** A folder without a record this young belongs to a process that is about to write it. */
const youngMs = 60_000

export async function writeRecord(home: string, record: WorkspaceRecord): Promise<void> {
  const path = join(home, recordName)
  await writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600 })
  await rename(`${path}.new`, path)
}

/** Workspaces in `folder` whose maker is dead. `alone`: nobody else makes any there, so that none without a record is being made. */
export async function readLeftRecords(folder: string, processes: ProcessTable, alone: boolean): Promise<Workspace[]> {
  const left: Workspace[] = []
  for (const id of await namesIn(folder)) {
    const record = await readRecord(join(folder, id))
    if (record !== null) {
      if (!isAlive(record.owner, processes)) left.push(record)
    } else if (alone || Date.now() - (await stat(join(folder, id))).mtimeMs > youngMs) {
      left.push(workspaceAt(join(folder, id), id, null))
    }
  }
  return left
}

/** Worktrees that git registers in `commonDir`, whose folder under `folder` is gone: somebody removed the data folder. */
export async function readLostRegistrations(commonDir: string, folder: string): Promise<Workspace[]> {
  const lost: Workspace[] = []
  for (const id of await namesIn(join(commonDir, 'worktrees'))) {
    const gitDir = join(commonDir, 'worktrees', id)
    const path = await registeredPath(gitDir)
    if (path === null || !path.startsWith(folder + sep) || (await exists(path))) continue
    lost.push(workspaceAt(dirname(path), id, { commonDir, gitDir, base: '' }))
  }
  return lost
}

/**
 * Takes a worktree out of git's books, but only if it is the one at `path`: as `git worktree prune` would, for this one
 * alone. First by a rename, because a git that comes across a half removed entry fails.
 */
export async function removeRegistration({ commonDir, gitDir }: WorkspaceTree, path: string): Promise<void> {
  const removed = join(commonDir, `leanvibe-removed-${basename(gitDir)}`)
  const registered = await registeredPath(gitDir)
  if (registered === path || (registered === null && (await exists(gitDir)))) {
    await removeFolder(removed)
    await rename(gitDir, removed)
  }
  // Also what a crash has left between the two.
  await removeFolder(removed)
}

export function workspaceAt(home: string, id: string, tree: WorkspaceTree | null): Workspace {
  return { id, path: join(home, id), outdir: join(home, 'out'), tempdir: join(home, 'tmp'), tree }
}

async function registeredPath(gitDir: string): Promise<string | null> {
  try {
    const pointer = (await readFile(join(gitDir, 'gitdir'), 'utf8')).replace(/\n$/, '')
    return dirname(pointer)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

async function readRecord(home: string): Promise<WorkspaceRecord | null> {
  try {
    return JSON.parse(await readFile(join(home, recordName), 'utf8')) as WorkspaceRecord
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

function isAlive(owner: WorkspaceRecord['owner'], processes: ProcessTable): boolean {
  if (owner.scope !== processScope()) return false
  const entry = processes.find(owner.pid)
  return entry !== null && entry.start === owner.start && !entry.zombie
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR'
}
