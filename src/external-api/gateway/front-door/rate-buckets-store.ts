import type { Tx } from '../../../foundation/platform/database/database.ts'
import { sql } from '../../../foundation/platform/database/sql.ts'

export interface SliceRequest {
  readonly key: string
  readonly requests: number
  readonly windowMs: number
  /** Tokens wanted; fewer, also none, may be given. Less than 0 gives back. */
  readonly wanted: number
}

export interface Slice {
  readonly key: string
  readonly granted: number
  /** What the shared bucket holds after it. */
  readonly tokens: number
}

/**
 * Takes tokens from shared buckets, all of them in one statement: whatever replicas ask at once, no bucket gives more than
 * it holds. Keys are locked in their order.
 */
export async function takeSlices(tx: Tx, wanted: readonly SliceRequest[], now: Date): Promise<readonly Slice[]> {
  const sorted = wanted.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  return tx.query<Slice>(sql`
    insert into rate_buckets as b (key, tokens, granted, at)
    select w.key, w.requests - least(w.wanted, w.requests), least(w.wanted, w.requests), ${now}
    from unnest(${sorted.map((w) => w.key)}::text[], ${sorted.map((w) => w.requests)}::float8[],
      ${sorted.map((w) => Math.max(0, w.wanted))}::float8[]) as w(key, requests, wanted)
    on conflict (key) do update set (tokens, granted, at) = (
      select least(w.requests, held.tokens - given.tokens), given.tokens, greatest(b.at, excluded.at)
      from unnest(${sorted.map((w) => w.key)}::text[], ${sorted.map((w) => w.requests)}::float8[],
          ${sorted.map((w) => w.windowMs)}::float8[], ${sorted.map((w) => w.wanted)}::float8[])
          as w(key, requests, window_ms, wanted)
        cross join lateral (select least(w.requests, b.tokens
          + greatest(0, extract(epoch from excluded.at - b.at)::float8 * 1000) / w.window_ms * w.requests) as tokens) held
        cross join lateral (select least(w.wanted, floor(held.tokens)) as tokens) given
      where w.key = b.key)
    returning key, granted, tokens`)
}

/** Buckets that nobody has asked for lately are full again and need no row. */
export async function dropFullBuckets(tx: Tx, before: Date): Promise<number> {
  return tx.execute(sql`
    delete from rate_buckets where key in (select key from rate_buckets where at < ${before} limit 5000)`)
}
