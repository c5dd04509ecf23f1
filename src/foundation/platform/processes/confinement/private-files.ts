import type { Dirent } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

const mostFiles = 20_000

/**
 * Files and folders below a folder that are not for everybody. Work that runs as root could read them all: in its
 * namespace it has no rights, yet to the kernel the files are its own.
 */
export async function privateFilesIn(folder: string): Promise<readonly string[]> {
  const found: string[] = []
  const open = [folder]
  for (let seen = 0; open.length > 0 && seen < mostFiles; ) {
    const entries: readonly Dirent[] = await readdir(open.pop()!, { withFileTypes: true }).catch(ifGone)
    seen += entries.length
    for (const entry of entries) {
      if (!entry.isFile() && !entry.isDirectory()) continue
      const path = join(entry.parentPath, entry.name)
      const mode = (await stat(path).catch(() => null))?.mode
      if (mode === undefined) continue
      if ((mode & (entry.isDirectory() ? 0o001 : 0o004)) === 0) found.push(path)
      else if (entry.isDirectory()) open.push(path)
    }
  }
  return found
}

/** What is deleted meanwhile, or cannot be read by us, cannot be read by our work either. */
function ifGone(): readonly Dirent[] {
  return []
}
