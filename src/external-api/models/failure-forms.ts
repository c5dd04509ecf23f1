import type { AppError, ErrorKind } from '../../foundation/kernel/errors.ts'
import type { FailureForm } from '../../foundation/platform/http/route.ts'

const openaiTypes: Readonly<Record<ErrorKind, string>> = {
  input: 'invalid_request_error',
  unauthenticated: 'authentication_error',
  forbidden: 'permission_error',
  'not-found': 'invalid_request_error',
  conflict: 'invalid_request_error',
  limit: 'rate_limit_error',
  unavailable: 'server_error',
  internal: 'server_error',
}
const anthropicTypes: Readonly<Record<ErrorKind, string>> = {
  input: 'invalid_request_error',
  unauthenticated: 'authentication_error',
  forbidden: 'permission_error',
  'not-found': 'not_found_error',
  conflict: 'invalid_request_error',
  limit: 'rate_limit_error',
  unavailable: 'overloaded_error',
  internal: 'api_error',
}

export type Dialect = 'openai' | 'anthropic'

/** A failure as an object of the dialect; `code` is ours and stable. A 5xx tells what the registry says, and no more. */
export function errorObject(dialect: Dialect, error: AppError, status: number, requestId: string): object {
  const message = status >= 500 ? `${error.code}: ${error.next}` : error.message
  if (dialect === 'anthropic') {
    const type = status === 413 ? 'request_too_large' : anthropicTypes[error.kind]
    return { type: 'error', error: { type, message, code: error.code }, request_id: requestId }
  }
  const type = error.code === 'budget-refused' ? 'insufficient_quota' : openaiTypes[error.kind]
  return { error: { message, type, param: null, code: error.code } }
}

/** The official clients obey `x-should-retry`: who is out of budget need not ask twice. */
export function failureForm(dialect: Dialect): FailureForm {
  return (error, status, requestId) => ({
    mediaType: 'application/json',
    body: JSON.stringify(errorObject(dialect, error, status, requestId)),
    headers: { 'x-should-retry': String(error.retry !== 'never' && error.code !== 'budget-refused') },
  })
}

/** A failure after the first byte, as an event of the stream. */
export function failureEvent(dialect: Dialect, error: AppError, requestId: string): string {
  const data = JSON.stringify(errorObject(dialect, error, 500, requestId))
  return dialect === 'anthropic' ? `event: error\ndata: ${data}\n\n` : `data: ${data}\n\n`
}
