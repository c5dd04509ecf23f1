import type { PoolSignals } from './signals.ts'

/**
 * Slots that the work of this moment takes: those in use, and those that bring all that waits to work within
 * `waitTargetMs`. A slot that is done every `serviceMs` takes waitTarget / service tasks in that time, and one more at once.
 */
export function demandOf(signals: PoolSignals, waitTargetMs: number): number {
  const { used, queueDepth, serviceMs } = signals
  const turns = serviceMs === null || serviceMs <= 0 ? 1 : 1 + waitTargetMs / serviceMs
  return used + queueDepth / turns
}
