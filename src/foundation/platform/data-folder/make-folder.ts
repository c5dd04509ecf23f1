import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/**
 * Makes a folder (by default for its owner alone) and those above it that are missing. Node's own recursive `mkdir` never returns where the
 * system answers ENOENT although the folder above is there, as /proc does. Throws the error of the file system.
 */
export async function makeFolder(folder: string, mode = 0o700): Promise<void> {
  const missing: string[] = []
  let there = resolve(folder)
  for (; !(await isFolder(there)); there = dirname(there)) missing.push(there)
  for (const path of missing.toReversed()) {
    try {
      await mkdir(path, { mode })
    } catch (error) {
      // Another process may have made it in the meantime; a dangling link is there, too, but is no folder.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !(await isFolder(path))) throw error
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && dirname(path) !== path) return false
    throw error
  }
  throw Object.assign(new Error(`ENOTDIR: not a folder, '${path}'`), { code: 'ENOTDIR' })
}
