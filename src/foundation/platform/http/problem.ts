import type { IncomingMessage } from 'node:http'
import { AppError, type ErrorDefinition, httpStatusOf, listErrors } from '../../kernel/errors.ts'
import type { Problem } from './endpoint-contract.ts'
import { httpErrors } from './http-errors.ts'

export const problemMediaType = 'application/problem+json'

/** The problem document for a failure. A 5xx says nothing that was not written beforehand in the registry. */
export function toProblem(error: unknown, requestId: string): Problem {
  const known = toAppError(error)
  const definition = definitions().get(known.code)
  const status = definition?.status ?? httpStatusOf[known.kind]
  const title = definition?.when ?? 'the request failed'
  const base = {
    type: `urn:leanvibe:error:${known.code}`,
    title,
    status,
    code: known.code,
    kind: known.kind,
    retry: known.retry,
    next: known.next,
    requestId,
  }
  if (status >= 500) return base
  const details = Object.keys(known.details).length > 0 ? { details: known.details } : {}
  return { ...base, detail: known.message, ...details }
}

/** Our own errors stay; the HTTP library's complaints about a request get a code of ours; all else is `internal`. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (!isRequestError(error)) return httpErrors.internal('unforeseen failure', { cause: error })
  const code = codeOf[error.code] ?? 'request-malformed'
  return httpErrors[code](error.message, { cause: error })
}

/** The same for what came of reading a request: a client that goes away in the middle of its body is no failure of ours. */
export function toRequestFailure(error: unknown, { errored }: IncomingMessage): AppError {
  if (errored === null || errored !== error) return toAppError(error)
  return httpErrors['request-malformed']('the body ends early', { cause: error })
}

const codeOf: Readonly<Record<string, keyof typeof httpErrors>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body-too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'media-type-unsupported',
}

function isRequestError(error: unknown): error is Error & { readonly code: string } {
  if (!(error instanceof Error) || !('statusCode' in error) || !('code' in error)) return false
  const { statusCode, code } = error
  return typeof statusCode === 'number' && statusCode < 500 && typeof code === 'string' && code.startsWith('FST_')
}

let cached: ReadonlyMap<string, ErrorDefinition> = new Map()
function definitions(): ReadonlyMap<string, ErrorDefinition> {
  const all = listErrors()
  if (cached.size !== all.length) cached = new Map(all)
  return cached
}
