import { AppError, messageOf } from '../../../../foundation/kernel/errors.ts'
import { gatewayErrors } from '../gateway-errors.ts'

const timeouts = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT'])
/** Nothing of the request can have reached anybody. */
const unsent = new Set([
  ...['UND_ERR_CONNECT_TIMEOUT', 'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
  ...['ENETDOWN', 'EHOSTDOWN', 'EADDRNOTAVAIL'],
])

function codeOf(error: unknown): string {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown }
  return typeof code === 'string' ? code : typeof cause === 'object' && cause !== null ? codeOf(cause) : ''
}

/** What a caller is told of a try that failed. */
export function failureOf(upstream: string, error: unknown): AppError {
  if (error instanceof AppError) return error
  const code = codeOf(error)
  const why = timeouts.has(code) ? 'gateway-upstream-timeout' : 'gateway-upstream-failed'
  return gatewayErrors[why](`${upstream}: ${describe(error)}`, { cause: error })
}

export function wasSent(error: unknown): boolean {
  return !unsent.has(codeOf(error)) && !(error instanceof AppError && error.code === 'gateway-address-refused')
}

export function describe(error: unknown): string {
  const code = codeOf(error)
  const text = messageOf(error)
  return code === '' || text.includes(code) ? text : `${code}: ${text}`
}
