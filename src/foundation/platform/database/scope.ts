import { setTimeout as sleep } from 'node:timers/promises'
import { isAppError } from '../../kernel/errors.ts'
import { failpoint } from '../../kernel/failpoints.ts'
import type { TenantId } from '../../kernel/ids.ts'
import type { Random } from '../../kernel/random.ts'
import { beforeCommit } from './before-commit.ts'
import type { ReadTx, Scope, Tx, WriteOptions } from './database.ts'
import { databaseErrors, isConflict } from './database-errors.ts'
import type { Role, Session, Statement } from './session.ts'
import { Transaction } from './transaction.ts'

/** What a kind of database must offer; scopes, retries and hooks are built on it once for all kinds. */
export interface Backend {
  /** Lends a session of the role to `fn`. A session that failed meanwhile is thrown away. */
  withSession<T>(role: Role, fn: (session: Session) => Promise<T>): Promise<T>
  /** The statements that open a transaction. */
  begin(role: Role, tenant: TenantId | null, readOnly: boolean): readonly Statement[]
  /** Watches an open transaction, for databases that cannot time it out themselves. Returns the end of the watch. */
  watch?(transaction: Transaction): () => void
}

const tenantPattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/

export function assertTenant(tenant: TenantId): void {
  if (!tenantPattern.test(tenant)) {
    throw databaseErrors['bad-tenant'](`${JSON.stringify(tenant)} is not a tenant id`)
  }
}

export interface ScopeOptions {
  readonly random: Random
  /** Told of errors thrown by hooks, which nobody else can hear. */
  readonly onHookError: (error: unknown) => void
  /** Called after a commit that appended events. */
  readonly onEvents: () => void
  /** Names the failpoints around its commits. Default `tenant`. */
  readonly purpose?: string
}

/** The scope of one tenant (`app` role) or of all (`system` role, tenant null). */
export function createScope(backend: Backend, role: Role, tenant: TenantId | null, options: ScopeOptions): Scope {
  const purpose = (options.purpose ?? 'tenant').replace(/[^a-z]+/g, '-')
  const beginRead = backend.begin(role, tenant, true)
  const beginWrite = backend.begin(role, tenant, false)

  async function runOnce<T>(readOnly: boolean, again: boolean, fn: (tx: Tx) => Promise<T>): Promise<T> {
    const begin = readOnly ? beginRead : beginWrite
    const last = readOnly ? undefined : beforeCommit()
    const [answer, done] = await backend.withSession(role, async (session) => {
      const beforeLast = last === undefined ? () => failpoint(`commit.before.${purpose}`) : null
      const transaction = new Transaction(session, begin, { tenant, again, beforeLast })
      const endWatch = backend.watch?.(transaction)
      try {
        const result = await fn(transaction)
        if (transaction.commitSent) {
          await transaction.commit()
          failpoint(`commit.after.${purpose}`)
        } else if (readOnly || transaction.unchanged) {
          transaction.release()
        } else {
          if (last !== undefined && transaction.used) await last(transaction)
          failpoint(`commit.before.${purpose}`)
          await transaction.commit()
          failpoint(`commit.after.${purpose}`)
        }
        return [{ result }, transaction] as const
      } catch (error) {
        const failure = await transaction.undo(error)
        if (failure === null) return [{ error }, transaction] as const
        // A function may have wrapped the deadlock that ended it: the transaction remembers, so that it is tried again.
        throw isConflict(transaction.failure) ? transaction.failure : failure
      } finally {
        endWatch?.()
        for (const hook of transaction.endHooks) runHook(hook, options.onHookError)
      }
    })
    if (done.appendedEvents) runHook(options.onEvents, options.onHookError)
    for (const hook of done.hooks) runHook(hook, options.onHookError)
    if ('error' in answer) throw answer.error
    return answer.result
  }

  return {
    read: <T>(fn: (tx: ReadTx) => Promise<T>) => runOnce(true, false, fn),
    async write<T>(fn: (tx: Tx) => Promise<T>, { retries = 5 }: WriteOptions = {}): Promise<T> {
      for (let attempt = 0; ; attempt++) {
        try {
          return await runOnce(false, attempt > 0, fn)
        } catch (error) {
          if (!mayTryAgain(error) || attempt >= retries) throw error
          await sleep(2 ** attempt * 5 * (0.5 + options.random.next()))
        }
      }
    },
  }
}

/** Besides the database's own conflicts, those that a part finds out and says can be tried again at once. */
function mayTryAgain(error: unknown): boolean {
  return isConflict(error) || (isAppError(error) && error.kind === 'conflict' && error.retry === 'now')
}

function runHook(hook: () => void, onError: (error: unknown) => void): void {
  try {
    hook()
  } catch (error) {
    onError(error)
  }
}
