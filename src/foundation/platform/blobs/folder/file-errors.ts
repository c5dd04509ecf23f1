import { AppError, messageOf } from '../../../kernel/errors.ts'
import { blobErrors } from '../blob-errors.ts'

const fullCodes: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])

export function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** What a failed call of the file system means to the caller; other errors pass through. */
export function explainFileError(error: unknown, folder: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (error instanceof AppError || code === undefined || syscall === undefined) return error
  return fullCodes.has(code)
    ? blobErrors['blob-store-full'](`no space left for blobs in ${folder}`, { cause: error })
    : blobErrors['blob-store-unavailable'](`the folder ${folder}: ${messageOf(error)}`, { cause: error })
}
