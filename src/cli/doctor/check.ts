import { isAppError } from '../../foundation/kernel/errors.ts'

/** `ok`: works. `note`: good to know. `warn`: works less well. `bad`: will not work. */
export type CheckStatus = 'ok' | 'note' | 'warn' | 'bad'

/** One line of the doctor's report. */
export interface Check {
  readonly name: string
  readonly status: CheckStatus
  readonly detail: string
  /** What to do about it. */
  readonly next?: string
}

/** The checks of one subject; where it fails for a known reason, that is the finding, and the report goes on. */
export async function checksOr(name: string, check: () => Promise<readonly Check[]>): Promise<readonly Check[]> {
  try {
    return await check()
  } catch (error) {
    if (!isAppError(error)) throw error
    return [{ name, status: 'bad', detail: error.message, next: error.next }]
  }
}
