import { AppError, httpStatusOf, listErrors } from '../../kernel/errors.ts'
import type { Problem } from './endpoint-contract.ts'
import { httpErrors } from './http-errors.ts'

export const problemMediaType = 'application/problem+json'

/** Codes for which HTTP has a better word than their kind's status. */
const statusOfCode: Readonly<Record<string, number>> = { 'cursor-reset': 410 }

/** The problem document for a failure. A 5xx says nothing that was not written beforehand in the registry. */
export function toProblem(error: unknown, requestId: string): Problem {
  const known = toAppError(error)
  const status = statusOfCode[known.code] ?? httpStatusOf[known.kind]
  const title = titles().get(known.code) ?? 'the request failed'
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

/** Our own errors stay; the HTTP library's complaints about a request become `request-malformed`; all else is `internal`. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (isRequestError(error)) return httpErrors['request-malformed'](error.message, { cause: error })
  return httpErrors.internal('unforeseen failure', { cause: error })
}

function isRequestError(error: unknown): error is Error {
  if (!(error instanceof Error) || !('statusCode' in error) || !('code' in error)) return false
  const { statusCode, code } = error
  return typeof statusCode === 'number' && statusCode < 500 && typeof code === 'string' && code.startsWith('FST_')
}

let cached: ReadonlyMap<string, string> | null = null
function titles(): ReadonlyMap<string, string> {
  const all = listErrors()
  if (cached === null || cached.size !== all.length) cached = new Map(all.map(([code, { when }]) => [code, when]))
  return cached
}
