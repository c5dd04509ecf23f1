import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { folderError } from '../foundation/platform/data-folder/data-folder-errors.ts'
import { type FolderLock, lockFolder } from '../foundation/platform/data-folder/folder-lock.ts'
import { makeFolder } from '../foundation/platform/data-folder/make-folder.ts'

/** Makes the data folder, readable by its owner alone, and hides it from the repository it may lie in. */
export async function prepareDataFolder(folder: string): Promise<void> {
  try {
    await makeFolder(folder)
    await writeFile(join(folder, '.gitignore'), '*\n', { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  } catch (error) {
    throw folderError(folder, error)
  }
}

/** Makes the data folder and takes it for this process. Errors: `data-folder-locked` with the pid of who has it. */
export async function lockDataFolder(folder: string): Promise<FolderLock> {
  await prepareDataFolder(folder)
  return lockFolder(folder)
}
