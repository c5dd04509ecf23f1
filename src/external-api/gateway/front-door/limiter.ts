import type { RateLimit } from './token-bucket.ts'

export interface Taking {
  readonly taken: boolean
  /** What is left, as far as it is known here. */
  readonly tokens: number
  /** Until a token may be there, ms; 0 where one was taken. */
  readonly waitMs: number
}

/** Token buckets by key: in memory for one process, in PostgreSQL for replicas. */
export interface Limiter {
  /** Takes one token of the bucket. */
  take(key: string, limit: RateLimit): Promise<Taking> | Taking
  /** Puts one back: the request was refused by another limit. */
  putBack(key: string): void
  close(): Promise<void>
}
