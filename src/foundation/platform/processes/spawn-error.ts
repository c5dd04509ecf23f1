import { statSync } from 'node:fs'
import type { SpawnErrorCode } from './process-errors.ts'

const codes: Readonly<Record<string, SpawnErrorCode>> = {
  ENOENT: 'command-not-found',
  ENOTDIR: 'command-not-found',
  EACCES: 'command-not-executable',
  EPERM: 'command-not-executable',
  ENOEXEC: 'command-not-executable',
  EISDIR: 'command-not-executable',
  ELIBBAD: 'command-not-executable',
  ETXTBSY: 'host-exhausted',
  E2BIG: 'command-invalid',
  ENAMETOOLONG: 'command-invalid',
  ERR_INVALID_ARG_VALUE: 'command-invalid',
  ERR_INVALID_ARG_TYPE: 'command-invalid',
}

/** Why a command could not be started, in the words of the error registry. What is not in the table is a lack of the host. */
export function spawnErrorOf(
  error: NodeJS.ErrnoException,
  request: { readonly file: string; readonly cwd: string },
): { readonly code: SpawnErrorCode; readonly message: string } {
  const folder = statSync(request.cwd, { throwIfNoEntry: false })
  if (folder?.isDirectory() !== true) return { code: 'workdir-missing', message: `${request.cwd} is not a folder` }
  const code = codes[error.code ?? ''] ?? 'host-exhausted'
  const file = JSON.stringify(request.file)
  if (code === 'command-not-found') return { code, message: `there is no program ${file}` }
  if (code === 'command-not-executable') return { code, message: `${file} may not be executed (${error.code})` }
  return { code, message: `${file} could not be started: ${error.message}` }
}
