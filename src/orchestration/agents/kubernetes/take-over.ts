import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Makes a folder what another one is, and empties that. Both are on one file system. The link of git at the top of a
 * worktree stays as it was: what the other side says of it is nobody's business.
 */
export async function takeOver(from: string, to: string, keep: ReadonlySet<string> = new Set()): Promise<void> {
  for (const name of await readdir(to)) if (!keep.has(name)) await rm(join(to, name), { recursive: true, force: true })
  const stat = await lstat(from).catch(() => null)
  if (!stat?.isDirectory()) return
  await mkdir(to, { recursive: true })
  for (const name of await readdir(from)) if (!keep.has(name)) await rename(join(from, name), join(to, name))
}
