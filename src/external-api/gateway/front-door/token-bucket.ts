/** A limit: at most `requests` within `windowMs`, refilled evenly, all of them at once if nobody asked before. */
export interface RateLimit {
  readonly requests: number
  readonly windowMs: number
}

export interface Bucket {
  readonly tokens: number
  /** When it held that many, ms. */
  readonly at: number
}

/** What a bucket holds at `now`. Time that runs backwards adds nothing. */
export function refill({ tokens, at }: Bucket, { requests, windowMs }: RateLimit, now: number): number {
  return Math.min(requests, tokens + (Math.max(0, now - at) / windowMs) * requests)
}

/** Takes one token where there is one. */
export function takeOne(
  bucket: Bucket,
  limit: RateLimit,
  now: number,
): { readonly taken: boolean; readonly bucket: Bucket } {
  const tokens = refill(bucket, limit, now)
  const at = Math.max(now, bucket.at)
  return tokens >= 1 ? { taken: true, bucket: { tokens: tokens - 1, at } } : { taken: false, bucket: { tokens, at } }
}

/** Until one token is there, ms. */
export function waitFor(tokens: number, { requests, windowMs }: RateLimit): number {
  return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) * windowMs) / requests)
}

/** Until all are there again, s. */
export function resetSeconds(tokens: number, { requests, windowMs }: RateLimit): number {
  return ((requests - tokens) * windowMs) / requests / 1_000
}
