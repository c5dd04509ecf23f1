import { AppError, defineErrors, messageOf } from '../../kernel/errors.ts'

export const dataFolderErrors = defineErrors({
  'data-folder-locked': {
    kind: 'conflict',
    retry: 'later',
    when: 'another process uses the data folder',
    next: 'talk to that process (the CLI does so by itself where it serves), stop it, or name another data folder',
  },
  'data-folder-unusable': {
    kind: 'unavailable',
    retry: 'never',
    when: 'the data folder cannot be read or written',
    next: 'check its owner, permissions and mount, or name another data folder',
  },
  'data-folder-full': {
    kind: 'unavailable',
    retry: 'later',
    when: 'the disk of the data folder is full',
    next: 'free some space, then try again',
  },
})

/** Turns an error of the file system into one that names the folder. */
export function folderError(folder: string, error: unknown): Error {
  if (error instanceof AppError) return error
  const { code } = error as NodeJS.ErrnoException
  const name = code === 'ENOSPC' || code === 'EDQUOT' ? 'data-folder-full' : 'data-folder-unusable'
  return dataFolderErrors[name](`${folder}: ${messageOf(error)}`, { cause: error, details: { folder } })
}
