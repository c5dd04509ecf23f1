import type { Database } from '../../../foundation/platform/database/database.ts'
import { createLoop } from '../../../foundation/runtime/loop.ts'
import type { Limiter, Taking } from './limiter.ts'
import { dropFullBuckets, type SliceRequest, takeSlices } from './rate-buckets-store.ts'
import { type RateLimit, waitFor } from './token-bucket.ts'

export interface SharedLimiterOptions {
  readonly database: Database
  readonly onError: (error: unknown) => void
  /** A slice is this part of the quota, at least one token. Default 1/20. */
  readonly share?: number
  /** Tokens held here for so long without use go back, ms. Default 1,000. */
  readonly holdMs?: number
}

/** Tokens of a shared bucket that this process may spend by itself. */
interface Held {
  readonly limit: RateLimit
  tokens: number
  /** What the shared bucket held when it was last asked. */
  shared: number
  usedAt: number
  /** Nothing is to be had before; asking would only load the database. */
  emptyUntil: number
  /** Requests that wait for the slice under way. */
  waiting: number
}

const mostHeld = 100_000
const day = 86_400_000

/**
 * For replicas on one PostgreSQL: each takes slices of the shared buckets and spends them by itself, so that most requests
 * ask nobody. All replicas together never give more than the limit, because a slice is gone from the bucket before any of
 * it is spent. The asks of a moment travel in one statement.
 */
export function createSharedLimiter(options: SharedLimiterOptions): Limiter {
  const { database, onError, share = 0.05, holdMs = 1_000 } = options
  const held = new Map<string, Held>()
  const asked = new Set<string>()
  let underWay: Promise<void> | null = null

  let sweepAt = 0
  const upkeep = createLoop({ step: () => giveBack(holdMs), pollMs: holdMs, onError })

  /** Rows locked for a moment only, so a failure to get one is worth a second try and no more. */
  function system() {
    return database.asSystem('rate-limits')
  }

  async function fetchAll(): Promise<void> {
    await Promise.resolve()
    const keys = [...asked]
    asked.clear()
    const wanted = keys.map((key): SliceRequest => {
      const { limit, waiting } = held.get(key)!
      const slice = Math.max(1, Math.floor(limit.requests * share))
      return { key, ...limit, wanted: Math.min(limit.requests, Math.max(slice, waiting)) }
    })
    const now = database.clock.monotonic()
    for (const { key, granted, tokens } of await system().write((tx) => takeSlices(tx, wanted, database.clock.now()))) {
      const own = held.get(key)
      if (own === undefined) continue
      own.tokens += granted
      own.shared = tokens
      if (granted === 0) own.emptyUntil = now + waitFor(tokens, own.limit)
    }
  }

  async function fetchSlice(key: string): Promise<void> {
    asked.add(key)
    // Who comes while a statement is under way goes with the next one.
    while (asked.has(key)) {
      if (underWay !== null) await underWay.catch(() => {})
      if (!asked.has(key)) return
      underWay ??= fetchAll().finally(() => {
        underWay = null
      })
      await underWay
    }
  }

  /** Returns what nobody has asked for within `idleMs`. */
  async function giveBack(idleMs: number): Promise<void> {
    const now = database.clock.monotonic()
    const idle = [...held].filter(([, own]) => own.waiting === 0 && now - own.usedAt >= idleMs && now >= own.emptyUntil)
    for (const [key] of idle) held.delete(key)
    const back = idle
      .filter(([, own]) => own.tokens >= 1)
      .map(([key, own]): SliceRequest => ({ key, ...own.limit, wanted: -Math.floor(own.tokens) }))
    if (back.length > 0) await system().write((tx) => takeSlices(tx, back, database.clock.now()))
    if (now < sweepAt) return
    sweepAt = now + day / 24
    await system().write((tx) => dropFullBuckets(tx, new Date(database.clock.now().getTime() - day)))
  }

  async function takeLater(key: string, own: Held): Promise<Taking> {
    own.waiting += 1
    try {
      await fetchSlice(key)
    } finally {
      own.waiting -= 1
    }
    return spend(own)
  }

  function spend(own: Held): Taking {
    if (own.tokens < 1) {
      const waitMs = Math.max(1, Math.ceil(own.emptyUntil - database.clock.monotonic()), waitFor(0, own.limit))
      return { taken: false, tokens: 0, waitMs }
    }
    own.tokens -= 1
    return { taken: true, tokens: Math.max(0, own.tokens + own.shared), waitMs: 0 }
  }

  return {
    take(key, limit) {
      let own = held.get(key)
      if (own === undefined) {
        if (held.size >= mostHeld) held.delete(held.keys().next().value!)
        own = { limit, tokens: 0, shared: limit.requests, usedAt: 0, emptyUntil: 0, waiting: 0 }
        held.set(key, own)
      }
      own.usedAt = database.clock.monotonic()
      return own.tokens < 1 && own.usedAt >= own.emptyUntil ? takeLater(key, own) : spend(own)
    },
    putBack(key) {
      const own = held.get(key)
      if (own !== undefined) own.tokens += 1
    },
    async close() {
      await upkeep.stop()
      await giveBack(0)
    },
  }
}
