import { lchown, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Makes a user the owner of the folders with all that is in them. Links are changed themselves, never followed. */
export async function giveFolders(folders: readonly string[], uid: number, gid: number): Promise<void> {
  for (const folder of folders) {
    await lchown(folder, uid, gid)
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) await giveFolders([path], uid, gid)
      else await lchown(path, uid, gid)
    }
  }
}
