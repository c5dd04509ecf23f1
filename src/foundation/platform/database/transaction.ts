import { isAppError, messageOf } from '../../kernel/errors.ts'
import type { TenantId } from '../../kernel/ids.ts'
import type { Tx } from './database.ts'
import { databaseErrors, isServerError, sqlStateOf, translateError } from './database-errors.ts'
import { encodeValues } from './encode-values.ts'
import type { Session, Statement, StatementResult } from './session.ts'
import type { Query } from './sql.ts'

const inFailedTransaction = '25P02'

/** The log, as every statement that appends to it names it. */
const eventTable = 'insert into event_batches'

export interface TransactionOptions {
  readonly tenant: TenantId | null
  readonly again: boolean
  /** Called before a commit is sent behind the last statement; where it is null, none is. */
  readonly beforeLast: (() => void) | null
}

/** A transaction on one session. BEGIN travels with the first statement, so an unused one costs nothing. */
export class Transaction implements Tx {
  readonly tenant: TenantId | null
  readonly again: boolean
  readonly #session: Session
  readonly #begin: readonly Statement[]
  readonly #hooks: (() => void)[] = []
  readonly #endHooks: (() => void)[] = []
  readonly #beforeLast: (() => void) | null
  readonly #posts: Promise<unknown>[] = []
  #state: 'unused' | 'open' | 'closed' = 'unused'
  #failure: Error | undefined
  /** Whether nobody waited for the statement that failed. */
  #failureUntold = false
  #inFlight = 0
  #unchanged = false
  #commit: Promise<StatementResult> | undefined
  readonly #texts = new Set<string>()
  #appendedEvents = false
  #idleSince = performance.now()

  constructor(session: Session, begin: readonly Statement[], { tenant, again, beforeLast }: TransactionOptions) {
    this.#session = session
    this.#begin = begin
    this.tenant = tenant
    this.again = again
    this.#beforeLast = beforeLast
  }

  async query<Row>(query: Query): Promise<readonly Row[]> {
    return (await this.#send(query)).rows as Row[]
  }

  async execute(query: Query): Promise<number> {
    return (await this.#send(query)).rowCount ?? 0
  }

  async last<Row>(query: Query): Promise<readonly Row[]> {
    if (this.#beforeLast === null) return this.query(query)
    this.#beforeLast()
    const answer = this.#send(query)
    // A session that is dead already, or a transaction that had ended, has sent nothing.
    if (this.#state === 'open') {
      this.#commit = this.#session.control('commit')
      this.#commit.catch(() => undefined) // told by whoever waits for the commit
      this.#state = 'closed'
    }
    return (await answer).rows as Row[]
  }

  post(query: Query): void {
    this.#posts.push(this.#send(query, true).catch(() => undefined)) // kept as the failure of the transaction
  }

  endUnchanged(): void {
    this.#unchanged = true
  }

  afterCommit(hook: () => void): void {
    this.#hooks.push(hook)
  }

  afterEnd(hook: () => void): void {
    this.#endHooks.push(hook)
  }

  get hooks(): readonly (() => void)[] {
    return this.#hooks
  }

  /** Whether a statement of it appends events: its text says so, and it need not have found any to append. */
  get appendedEvents(): boolean {
    return this.#appendedEvents
  }

  /** Whether the caller has said so, and no statement looks otherwise. */
  get unchanged(): boolean {
    return this.#unchanged && this.#failure === undefined && ![...this.#texts].some(mayWrite)
  }

  /** Whether it has sent anything. */
  get used(): boolean {
    return this.#state !== 'unused'
  }

  get endHooks(): readonly (() => void)[] {
    return this.#endHooks
  }

  /** The first error of a statement: PostgreSQL refuses all that follows it. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Milliseconds for which the session has been held with nothing to do. */
  idleFor(): number {
    return this.#state !== 'closed' && this.#inFlight === 0 ? performance.now() - this.#idleSince : 0
  }

  /** Whether the commit has been sent behind the last statement: it can no longer be rolled back from here. */
  get commitSent(): boolean {
    return this.#commit !== undefined
  }

  async commit(): Promise<void> {
    if (this.#state === 'open' && this.#failureUntold) {
      await this.rollback()
      throw this.#failure
    }
    const used = this.#state === 'open' || this.commitSent
    this.#state = 'closed'
    if (!used) return
    if (!this.commitSent && this.#session.failure()) throw this.#translate(this.#session.failure())
    let result: StatementResult
    try {
      result = await (this.#commit ?? this.#session.control('commit'))
    } catch (error) {
      throw isOutcomeKnown(error) ? this.#translate(error) : commitUnknown(this.#session.failure() ?? error)
    }
    if (result.command !== 'COMMIT') {
      await Promise.all(this.#posts)
      if (this.#failureUntold) throw this.#failure
      throw databaseErrors['transaction-aborted'](
        'a failed statement was swallowed, so the transaction was rolled back',
        {
          cause: this.#failure,
        },
      )
    }
  }

  /** Ends a transaction that has only read. Nobody waits for the answer, which could change nothing. */
  release(): void {
    const used = this.#state === 'open'
    this.#state = 'closed'
    if (!used || this.#session.failure()) return
    this.#session.control('commit').catch((error) => {
      this.#failure ??= error
    })
  }

  /** Never throws: a session that cannot roll back is dead, and the server rolls back by itself. */
  async rollback(): Promise<void> {
    const used = this.#state === 'open'
    this.#state = 'closed'
    if (!used || this.#session.failure()) return
    await this.#session.control('rollback').catch((error) => {
      this.#failure ??= error
    })
  }

  /**
   * Ends a transaction whose function has thrown `error`. Returns what its caller is to be told, or null where the commit was
   * already on its way and nothing stood against it.
   */
  async undo(error: unknown): Promise<unknown> {
    if (!this.commitSent) {
      await this.rollback()
      return error
    }
    try {
      await this.commit()
      return null
    } catch (refused) {
      return isAppError(refused) && refused.code === 'commit-unknown' ? refused : error
    }
  }

  /** Ends the transaction from outside, while its function is still running. */
  async abort(reason: Error): Promise<void> {
    this.#failure ??= reason
    await this.rollback()
  }

  async #send(query: Query, posted = false): Promise<StatementResult> {
    if (this.#state === 'closed') {
      throw (
        this.#failure ?? databaseErrors['transaction-closed'](`the transaction has ended: ${query.text.slice(0, 80)}`)
      )
    }
    this.#appendedEvents ||= query.text.includes(eventTable)
    this.#texts.add(query.text)
    const statement: Statement = { ...query, values: encodeValues(query.values) }
    this.#inFlight += 1
    try {
      return await (this.#state === 'unused' ? this.#sendFirst(statement) : this.#session.send(statement))
    } catch (error) {
      // What is refused because an earlier statement failed has nothing to say of its own.
      if (this.#failureUntold && sqlStateOf(error) === inFailedTransaction) throw this.#failure
      throw this.#failed(error, posted)
    } finally {
      this.#inFlight -= 1
      this.#idleSince = performance.now()
    }
  }

  /** Where what opens the transaction fails, the server passes over the statement: without its tenant it would see nothing. */
  #sendFirst(statement: Statement): Promise<StatementResult> {
    this.#state = 'open'
    for (const part of this.#begin) this.#session.send(part).catch((error) => this.#failed(error, true))
    return this.#session.send(statement)
  }

  /** Notes the first failure, and returns this one. */
  #failed(error: unknown, untold: boolean): Error {
    const translated = this.#translate(error)
    if (this.#failure === undefined) {
      this.#failure = translated
      this.#failureUntold = untold
    }
    return translated
  }

  /** When the session has died, its own reason says more than the statement that noticed. */
  #translate(error: unknown): Error {
    return translateError(isServerError(error) ? error : (this.#session.failure() ?? error))
  }
}

/** The server answered, and not while it was going down: the transaction is rolled back. */
function isOutcomeKnown(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state !== undefined && !state.startsWith('57P') && !state.startsWith('08')
}

function commitUnknown(cause: unknown): Error {
  const text = `the connection broke during COMMIT, so the outcome is not known: ${messageOf(cause)}`
  return databaseErrors['commit-unknown'](text, { cause })
}

function mayWrite(text: string): boolean {
  return /\b(insert|update|delete|merge|nextval|setval|call|do|create|drop|alter|truncate)\b|pg_notify/i.test(text)
}
