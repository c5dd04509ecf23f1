/** What went wrong, in the eyes of whoever must react. It decides HTTP status, exit code and task outcome. */
export type ErrorKind =
  | 'input'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'limit'
  | 'unavailable'
  | 'internal'

/** `never`: the same call fails again. `later`: it may pass after a pause. `now`: try at once. Decided where the error is thrown. */
export type Retry = 'never' | 'later' | 'now'

export interface ErrorDefinition {
  readonly kind: ErrorKind
  readonly retry: Retry
  /** One sentence for docs/errors.md: when it is thrown. */
  readonly when: string
  /** What the reader can do next. */
  readonly next: string
  /** The HTTP status, where HTTP has a better word than that of the kind. */
  readonly status?: number
}

export interface AppErrorOptions {
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/** The only error type that crosses a part. `code` is stable and documented; the message is for people. */
export class AppError extends Error {
  readonly code: string
  readonly kind: ErrorKind
  readonly retry: Retry
  readonly next: string
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: string, definition: ErrorDefinition, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.kind = definition.kind
    this.retry = definition.retry
    this.next = definition.next
    this.details = options.details ?? {}
  }
}

type Thrower = (message: string, options?: AppErrorOptions) => AppError

const registry = new Map<string, ErrorDefinition>()

/**
 * Registers a part's error codes and returns one maker per code: `throw errors['run-not-found']('...')`.
 * A code registered twice is a programming error and throws at import.
 */
export function defineErrors<const D extends Record<string, ErrorDefinition>>(
  definitions: D,
): { [Code in keyof D]: Thrower } {
  const makers: Record<string, Thrower> = {}
  for (const [code, definition] of Object.entries(definitions)) {
    if (registry.has(code)) throw new Error(`error code ${code} is defined twice`)
    registry.set(code, definition)
    makers[code] = (message, options) => new AppError(code, definition, message, options)
  }
  return makers as { [Code in keyof D]: Thrower }
}

/** Every registered code, for docs/errors.md and its test. */
export function listErrors(): readonly (readonly [string, ErrorDefinition])[] {
  return [...registry].sort(([a], [b]) => (a < b ? -1 : 1))
}

export function isAppError(value: unknown, code?: string): value is AppError {
  return value instanceof AppError && (code === undefined || value.code === code)
}

export const httpStatusOf: Readonly<Record<ErrorKind, number>> = {
  input: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  limit: 429,
  unavailable: 503,
  internal: 500,
}

/** Exit codes follow sysexits(3) where it has a word for the kind. */
export const exitCodeOf: Readonly<Record<ErrorKind, number>> = {
  input: 65,
  unauthenticated: 77,
  forbidden: 77,
  'not-found': 66,
  conflict: 75,
  limit: 75,
  unavailable: 69,
  internal: 70,
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
