import type { Clock } from '../../kernel/clock.ts'
import type { TenantId } from '../../kernel/ids.ts'
import type { Pulse } from './pulse.ts'
import type { Query } from './sql.ts'

/** A transaction that may only read. */
export interface ReadTx {
  /** The tenant whose rows are visible; null in system scope, where all are. */
  readonly tenant: TenantId | null
  query<Row>(query: Query): Promise<readonly Row[]>
}

/** A transaction that may write. It is passed as a value; only the outermost caller commits. */
export interface Tx extends ReadTx {
  /** Whether an earlier try of the same function was lost to others: this one had better look before it leaps. */
  readonly again: boolean
  /** Runs a statement for its effect and returns the number of rows it touched. */
  execute(query: Query): Promise<number>
  /**
   * Sends a statement for its effect and goes on: what follows travels behind it. Where it fails, the transaction has
   * failed, and the next statement that is waited for, or the commit, throws its error.
   */
  post(query: Query): void
  /**
   * Sends the statement that ends the transaction, with the commit right behind it: the rows that it locks are free as soon
   * as the server has done with them. Resolves with its rows before the commit is known; no statement may follow. It must
   * itself fail where the transaction must not be committed.
   */
  last<Row>(query: Query): Promise<readonly Row[]>
  /** Says that nothing was changed: the transaction ends without waiting for the answer to its commit, which could say nothing. */
  endUnchanged(): void
  /** Runs `hook` once, after this transaction has committed; never after a rollback. */
  afterCommit(hook: () => void): void
  /** Runs `hook` once, when this transaction has ended, committed or not; where it is tried again, before that. */
  afterEnd(hook: () => void): void
}

export interface WriteOptions {
  /** How often a deadlock or serialisation failure is retried. Default 5. `fn` must be safe to run again. */
  readonly retries?: number
}

export interface Scope {
  read<T>(fn: (tx: ReadTx) => Promise<T>): Promise<T>
  write<T>(fn: (tx: Tx) => Promise<T>, options?: WriteOptions): Promise<T>
}

/** Both databases behind one port: PGlite in a worker thread, or a PostgreSQL server. */
export interface Database {
  readonly kind: 'pglite' | 'postgres'
  /** Database time: the local clock corrected by an offset measured at connect and every 10 s. */
  readonly clock: Clock
  /** Beats after each commit here that appended events. Whoever hears of commits elsewhere tells it. */
  readonly pulse: Pulse
  /** Rows of one tenant, through the application role; row-level security confines it. */
  forTenant(tenant: TenantId): Scope
  /** Rows of every tenant, through the system role. For ticks, timers, sealers and log readers; a test lists the callers by `reason`. */
  asSystem(reason: string): Scope
  /** Calls `hint` when some process called `notify` on the channel. A hint may be lost: poll as well. Returns the unsubscribe. */
  listen(channel: string, hint: (payload: string) => void): () => void
  /** Sends a hint outside any transaction; equal hints close together are sent once. */
  notify(channel: string, payload?: string): void
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
