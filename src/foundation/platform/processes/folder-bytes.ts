import type { Dirent } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Bytes of the files in these folders and below, as they take up space on disk (holes do not count, links not followed).
 * Null where there are more than `most` entries: a look must not become the work. Folders that are not there count nothing.
 */
export async function folderBytes(
  folders: readonly string[],
  most: number,
  signal?: AbortSignal,
): Promise<number | null> {
  let bytes = 0
  let seen = 0
  const open = [...folders]
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    for (const entry of await list(folder)) {
      if (signal?.aborted === true || ++seen > most) return null
      const path = join(folder, entry.name)
      if (entry.isDirectory()) open.push(path)
      else bytes += await size(path)
    }
  }
  return bytes
}

async function list(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch {
    // It may go while we look: work removes its own folders.
    return []
  }
}

async function size(path: string): Promise<number> {
  try {
    const { blocks } = await lstat(path)
    return blocks * 512
  } catch {
    return 0
  }
}
