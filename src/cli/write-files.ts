import { access, constants } from 'node:fs/promises'
import { messageOf } from '../foundation/kernel/errors.ts'
import { makeFolder } from '../foundation/platform/data-folder/make-folder.ts'
import { cliErrors } from './cli-errors.ts'

/** Runs `write`; where the file system refuses, the failure names `path` and what to do. */
export async function whileWriting<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) throw error
    throw cliErrors['file-not-written'](`${path}: ${messageOf(error)}`, { cause: error, details: { path } })
  }
}

/** Makes the folder that results will be copied to, so that a bad one is found before the work and not after it. */
export async function prepareOutFolder(folder: string): Promise<void> {
  await whileWriting(folder, async () => {
    await makeFolder(folder, 0o777)
    await access(folder, constants.W_OK | constants.X_OK)
  })
}
