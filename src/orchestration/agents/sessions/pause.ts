import { setTimeout as delay } from 'node:timers/promises'

/** Waits. Rejects with the reason of the signal, not with what timers make of it. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}
