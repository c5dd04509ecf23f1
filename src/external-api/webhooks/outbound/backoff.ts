import type { Random } from '../../../foundation/kernel/random.ts'

/** How long a delivery is tried, ms. */
export const giveUpAfterMs = 24 * 3_600_000
const firstMs = 5_000
const factor = 2.2
const mostMs = 3 * 3_600_000
/** A receiver that asks for more time gets up to this much. */
const mostAskedMs = 3_600_000

/**
 * Pause after the n-th failed attempt (from 1): 5 s, growing by 2.2 up to 3 h, a fifth more or less by chance, so that the
 * deliveries of a receiver that was away do not come back all at once. About 17 attempts in 24 h.
 */
export function backoffMs(failed: number, random: Random, askedMs: number | null = null): number {
  const pause = Math.min(mostMs, firstMs * factor ** (failed - 1)) * (0.8 + 0.4 * random.next())
  return Math.max(pause, Math.min(askedMs ?? 0, mostAskedMs))
}

/** `Retry-After`: seconds or a date. Null where it is neither. */
export function retryAfterMs(text: string | undefined, now: Date): number | null {
  if (text === undefined) return null
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000
  const at = Date.parse(text)
  return Number.isNaN(at) ? null : Math.max(0, at - now.getTime())
}
