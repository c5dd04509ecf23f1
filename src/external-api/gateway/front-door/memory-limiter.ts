import type { Clock } from '../../../foundation/kernel/clock.ts'
import type { Limiter } from './limiter.ts'
import { type Bucket, type RateLimit, refill, takeOne, waitFor } from './token-bucket.ts'

/** Addresses can be made up by the million; beyond this, the buckets that were not used for longest start anew. */
const mostBuckets = 100_000

/** For one process. */
export function createMemoryLimiter(clock: Pick<Clock, 'monotonic'>): Limiter {
  const buckets = new Map<string, { bucket: Bucket; limit: RateLimit }>()
  return {
    take(key, limit) {
      const now = clock.monotonic()
      const known = buckets.get(key)?.bucket ?? { tokens: limit.requests, at: now }
      const { taken, bucket } = takeOne(known, limit, now)
      // Set anew, so that the map stays in the order of use.
      buckets.delete(key)
      buckets.set(key, { bucket, limit })
      if (buckets.size > mostBuckets) buckets.delete(buckets.keys().next().value!)
      return { taken, tokens: bucket.tokens, waitMs: taken ? 0 : waitFor(bucket.tokens, limit) }
    },
    putBack(key) {
      const found = buckets.get(key)
      if (found === undefined) return
      const { bucket, limit } = found
      const now = clock.monotonic()
      buckets.set(key, { limit, bucket: { tokens: Math.min(limit.requests, refill(bucket, limit, now) + 1), at: now } })
    },
    close: async () => {},
  }
}
