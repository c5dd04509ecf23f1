import { beginStatements } from '../begin-statements.ts'
import { databaseErrors, translateError } from '../database-errors.ts'
import type { Backend } from '../scope.ts'
import type { Session } from '../session.ts'
import type { Transaction } from '../transaction.ts'
import type { PgliteServer } from './pglite-server.ts'
import { createTurnstile } from './turnstile.ts'

export interface PgliteBackend extends Backend {
  /** Runs `fn` as the owner of the database, between transactions. */
  asOwner<T>(fn: (server: PgliteServer) => Promise<T>): Promise<T>
  /** Ends the worker as kill -9 would; the next transaction starts another one. For tests. */
  crash(): Promise<void>
  /** How many transactions there have been. */
  turns(): number
  /** Ends the database at once and for good; every later use throws `error`. */
  fail(error: Error): void
  close(): Promise<void>
}

export interface PgliteBackendOptions {
  /** Undefined if the data does not outlive the worker. */
  readonly restart: (() => Promise<PgliteServer>) | undefined
  readonly idleInTransactionMs: number
}

/** One session for all: transactions take turns. A worker that died is replaced when the next one wants it. */
export function createPgliteBackend(first: PgliteServer, options: PgliteBackendOptions): PgliteBackend {
  const turnstile = createTurnstile()
  let server = first
  let turns = 0
  let fatal: Error | undefined
  let current: { transaction: Transaction; expire: (error: Error) => void } | undefined
  let expire: (error: Error) => void = () => undefined

  async function live(): Promise<Session> {
    if (fatal) throw fatal
    if (server.session.failure() && options.restart) {
      try {
        server = await options.restart()
      } catch (error) {
        throw translateError(error)
      }
    }
    return server.session
  }

  /** PGlite has no timers of its own, and one idle transaction would hold up everybody. Who computes is not idle. */
  async function endIdle(): Promise<void> {
    const now = performance.now()
    const wasBusy = now - looked > 2 * lookMs
    looked = now
    if (wasBusy || !current || current.transaction.idleFor() < options.idleInTransactionMs) return
    const idle = current
    current = undefined
    const error = databaseErrors['transaction-idle']('a transaction was open without a statement for too long')
    await idle.transaction.abort(error)
    idle.expire(error)
  }

  const lookMs = Math.max(10, options.idleInTransactionMs / 4)
  let looked = performance.now()
  const idleTimer = setInterval(endIdle, lookMs)
  idleTimer.unref()

  return {
    withSession: (_role, fn) =>
      turnstile.run(async () => {
        const session = await live()
        turns += 1
        const expired = Promise.withResolvers<never>()
        expire = expired.reject
        return Promise.race([fn(session), expired.promise])
      }),
    begin: beginStatements,
    watch(transaction) {
      const watched = { transaction, expire }
      current = watched
      return () => {
        if (current === watched) current = undefined
      }
    },
    asOwner: (fn) =>
      turnstile.run(async () => {
        await live()
        return fn(server)
      }),
    crash: () => server.terminate(),
    turns: () => turns,
    fail(error) {
      fatal = error
      void server.terminate()
    },
    close: () =>
      turnstile.run(async () => {
        clearInterval(idleTimer)
        await (fatal ? server.terminate() : server.close())
      }),
  }
}
