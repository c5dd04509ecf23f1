import { isAppError, messageOf } from '../../foundation/kernel/errors.ts'
import type { AttemptError } from '../runners/exchange-contract.ts'

/** Any failure as a report carries it. */
export function attemptErrorOf(error: unknown): AttemptError {
  if (!isAppError(error)) return { code: 'agent-crashed', message: messageOf(error), retry: 'later' }
  return { code: error.code, message: error.message, retry: error.retry === 'never' ? 'never' : 'later' }
}
