import { setTimeout as sleep } from 'node:timers/promises'

/** Counts what is under way. */
export interface Tally {
  count<T>(fn: () => Promise<T>): Promise<T>
  /** Waits until nothing is under way; false if something still is after `ms`. */
  empty(ms: number): Promise<boolean>
}

export function createTally(): Tally {
  const underWay = new Set<Promise<unknown>>()

  return {
    async count(fn) {
      const work = fn()
      underWay.add(work)
      try {
        return await work
      } finally {
        underWay.delete(work)
      }
    },
    async empty(ms) {
      const ended = new AbortController()
      const late = sleep(ms, false, { signal: ended.signal }).catch(() => false)
      const all = Promise.allSettled(underWay).then(() => true)
      const result = await Promise.race([all, late])
      ended.abort()
      return result
    },
  }
}
