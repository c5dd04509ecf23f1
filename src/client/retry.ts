import { AppError } from '../foundation/kernel/errors.ts'
import { pause } from './streams.ts'

export interface RetryPolicy {
  execute<T>(fn: () => Promise<T>, signal?: AbortSignal): Promise<T>
  /** A new Idempotency-Key. */
  newKey(): string
}

export interface RetryOptions {
  /** Requests per call, at most. Default 5. */
  readonly attempts?: number
  /** Pause before the n-th repeat, ms, where the server does not say. Default: 100 doubling to 5,000, half of it by chance. */
  readonly backoff?: (repeat: number) => number
  readonly newKey?: () => string
}

const usualBackoff = (repeat: number) => Math.min(5_000, 100 * 2 ** (repeat - 1)) * (0.5 + Math.random() / 2)

/** Repeats what the server says may pass later (limits, a restart, a broken connection), and nothing else. */
export function createRetry(options: RetryOptions = {}): RetryPolicy {
  const { attempts = 5, backoff = usualBackoff, newKey = () => crypto.randomUUID() } = options
  return {
    newKey,
    async execute(fn, signal = new AbortController().signal) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await fn()
        } catch (error) {
          if (attempt >= attempts || !(error instanceof AppError) || error.retry === 'never') throw error
          if (error.kind === 'internal') throw error
          const said = error.details.retryAfterMs
          await pause(typeof said === 'number' ? said : backoff(attempt), signal)
          signal.throwIfAborted()
        }
      }
    },
  }
}
