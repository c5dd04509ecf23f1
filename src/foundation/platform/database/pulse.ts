/** Knows when something last changed, so that what polls may do so rarely while nothing does. */
export interface Pulse {
  /** Something changed: here, or elsewhere as a hint says. */
  beat(): void
  /** Milliseconds since the last beat. */
  quietMs(): number
  /** Calls `listener` at every beat until it is unsubscribed by what is returned. */
  onBeat(listener: () => void): () => void
}

export function createPulse(monotonic: () => number = () => performance.now()): Pulse {
  const listeners = new Set<() => void>()
  let at = monotonic()
  return {
    beat() {
      at = monotonic()
      for (const listener of [...listeners]) listener()
    },
    quietMs: () => monotonic() - at,
    onBeat(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
