import { AppError, defineErrors, messageOf } from '../../kernel/errors.ts'

export const databaseErrors = defineErrors({
  'database-unreachable': {
    kind: 'unavailable',
    retry: 'later',
    when: 'the database cannot be connected to, or the connection broke before COMMIT was sent',
    next: 'check that the database runs and that DATABASE_URL names it; the operation did not happen and can be tried again',
  },
  'commit-unknown': {
    kind: 'unavailable',
    retry: 'never',
    when: 'the connection broke while COMMIT was on its way, so the transaction may or may not have happened',
    next: 'look at the present state before doing it again',
  },
  'database-busy': {
    kind: 'unavailable',
    retry: 'later',
    when: 'a lock, a statement or a free connection was waited for longer than the configured limit',
    next: 'try again; if it lasts, look for long transactions or raise the pool size',
  },
  'write-conflict': {
    kind: 'conflict',
    retry: 'later',
    when: 'a transaction lost to concurrent ones (deadlock or serialisation failure) on every try',
    next: 'try again',
  },
  'transaction-idle': {
    kind: 'internal',
    retry: 'later',
    when: 'a transaction stayed open without a statement for longer than the limit and was rolled back',
    next: 'await nothing but SQL inside a transaction; report this if you did not write the code',
  },
  'transaction-closed': {
    kind: 'internal',
    retry: 'never',
    when: 'a statement was issued on a transaction that had already ended',
    next: 'await every statement inside the transaction function; report this if you did not write the code',
  },
  'transaction-aborted': {
    kind: 'internal',
    retry: 'never',
    when: 'a transaction function swallowed a failed statement and returned, so nothing could be committed',
    next: 'let the error out of the transaction function; report this if you did not write the code',
  },
  'constraint-violated': {
    kind: 'conflict',
    retry: 'never',
    when: 'a row broke a unique, foreign key, check or not-null constraint',
    next: 'correct the value that the message names',
  },
  'statement-failed': {
    kind: 'internal',
    retry: 'never',
    when: 'the database refused a statement for a reason that the program did not foresee',
    next: 'report this with the message',
  },
  'database-disk-full': {
    kind: 'unavailable',
    retry: 'later',
    when: 'the disk that holds the database is full',
    next: 'free some space, then try again',
  },
  'database-closed': {
    kind: 'unavailable',
    retry: 'never',
    when: 'the database was used after it had been closed',
    next: 'start the process again',
  },
  'bad-tenant': {
    kind: 'input',
    retry: 'never',
    when: 'a tenant id is not made of letters, digits, `_` and `-`, at most 64 of them',
    next: 'use the id that `leanvibe` printed for the tenant',
  },
  'value-not-encodable': {
    kind: 'input',
    retry: 'never',
    when: 'a value has no representation in the database, such as an invalid date or a function',
    next: 'pass a string, number, bigint, boolean, Date, bytes, array, plain object or null',
  },
  'value-not-decodable': {
    kind: 'internal',
    retry: 'never',
    when: 'a 64-bit integer read from the database does not fit a JavaScript number',
    next: 'select the column as text',
  },
})

/** Names of the pg error fields we read; both databases speak the same wire protocol. */
interface ServerError {
  readonly code: string
  readonly message: string
  readonly constraint?: string
  readonly table?: string
  readonly column?: string
  readonly detail?: string
}

const sqlStatePattern = /^[0-9A-Z]{5}$/

export function isServerError(error: unknown): error is ServerError & Error {
  return (
    error instanceof Error && 'severity' in error && sqlStatePattern.test(String((error as { code?: unknown }).code))
  )
}

/** The five-character SQLSTATE of an error of the server, also through the AppError made from it. */
export function sqlStateOf(error: unknown): string | undefined {
  if (error instanceof AppError) return error.details.sqlState as string | undefined
  return isServerError(error) ? error.code : undefined
}

/** Whether the error says that a row broke a constraint (the named one, if a name is given). */
export function violates(error: unknown, constraint?: string): boolean {
  if (!(error instanceof AppError) || error.code !== 'constraint-violated') return false
  return constraint === undefined || error.details.constraint === constraint
}

/** Deadlock or serialisation failure: the transaction did nothing and may be run again at once. */
export function isConflict(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state === '40P01' || state === '40001'
}

type ErrorName = keyof typeof databaseErrors

const nameByState: Readonly<Record<string, ErrorName>> = {
  '40001': 'write-conflict',
  '40P01': 'write-conflict',
  '55P03': 'database-busy',
  '57014': 'database-busy',
  '53300': 'database-busy',
  '25P03': 'transaction-idle',
  '25P04': 'transaction-idle',
  '53100': 'database-disk-full',
}

/** Classes of SQLSTATE: 08 connection, 57P0x shutdown, 23 integrity, 53 resources. */
function nameOfState(state: string): ErrorName {
  const exact = nameByState[state]
  if (exact) return exact
  if (state.startsWith('23')) return 'constraint-violated'
  if (state.startsWith('08') || state.startsWith('57P')) return 'database-unreachable'
  if (state.startsWith('53')) return 'database-busy'
  return 'statement-failed'
}

/** Turns what the driver threw into the AppError that callers see. AppErrors pass through. */
export function translateError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (isServerError(error)) {
    const { code: sqlState, constraint, table, column, detail } = error
    const details = Object.fromEntries(
      Object.entries({ sqlState, constraint, table, column, detail }).filter(([, value]) => value !== undefined),
    )
    return databaseErrors[nameOfState(sqlState)](error.message, { cause: error, details })
  }
  return databaseErrors['database-unreachable'](`the database connection failed: ${reasonOf(error)}`, { cause: error })
}

/** Node reports a refused connection to several addresses as an AggregateError without a message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0])
  return messageOf(error) || String((error as { code?: unknown }).code ?? 'unknown')
}
