import { AsyncLocalStorage } from 'node:async_hooks'
import type { Tx } from './database.ts'

/** The last statements of a transaction that has done something. What they throw rolls it back. */
export type BeforeCommit = (tx: Tx) => Promise<void>

const current = new AsyncLocalStorage<BeforeCommit>()

/**
 * Runs `fn` so that every write transaction it opens, however deep, ends with `hook`. It is no parameter because it
 * concerns the request as a whole, and no service that writes for it.
 */
export function withBeforeCommit<T>(hook: BeforeCommit, fn: () => Promise<T>): Promise<T> {
  return current.run(hook, fn)
}

export function beforeCommit(): BeforeCommit | undefined {
  return current.getStore()
}
