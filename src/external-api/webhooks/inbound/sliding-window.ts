import type { Clock } from '../../../foundation/kernel/clock.ts'

export interface Rate {
  readonly limit: number
  readonly seconds: number
}

export interface RateAnswer {
  readonly allowed: boolean
  readonly remaining: number
  /** Until a request is allowed again, or the window is empty, ms. */
  readonly resetMs: number
}

/** Counts requests by key. The one here counts in this process; `app/` may hand in one that replicas share. */
export type TakeRate = (key: string, rate: Rate) => RateAnswer | Promise<RateAnswer>

/**
 * A sliding window of two counters: the requests of the window before weigh as much as it still overlaps. Never admits
 * more than the limit in a window that begins with a key's first request; memory is one entry a key, at most `mostKeys`.
 */
export function createSlidingWindow(clock: Pick<Clock, 'monotonic'>, mostKeys = 100_000): TakeRate {
  const kept = new Map<string, { start: number; before: number; count: number }>()
  return (key, { limit, seconds }) => {
    const now = clock.monotonic()
    const size = seconds * 1_000
    const entry = kept.get(key) ?? { start: now, before: 0, count: 0 }
    kept.delete(key)
    const passed = Math.floor((now - entry.start) / size)
    if (passed > 0) {
      entry.before = passed === 1 ? entry.count : 0
      entry.count = 0
      entry.start += passed * size
    }
    const into = now - entry.start
    const weighed = entry.count + entry.before * (1 - into / size)
    const allowed = weighed + 1 <= limit + 1e-9
    if (allowed) entry.count += 1
    // The least recently used key makes room: a flood of addresses must not fill the memory.
    if (kept.size >= mostKeys) kept.delete(kept.keys().next().value!)
    kept.set(key, entry)
    const used = allowed ? weighed + 1 : weighed
    return { allowed, remaining: Math.max(0, Math.floor(limit - used)), resetMs: Math.max(1, Math.ceil(size - into)) }
  }
}
