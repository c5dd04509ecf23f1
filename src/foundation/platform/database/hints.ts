/** Carries hints to other processes. */
export interface HintCarrier {
  send(hints: readonly Hint[]): void
  /** The set of channels anyone here listens to has changed. */
  channelsChanged(channels: readonly string[]): void
}

export interface Hint {
  readonly channel: string
  readonly payload: string
}

export interface Hints {
  listen(channel: string, hint: (payload: string) => void): () => void
  notify(channel: string, payload?: string): void
  /** Hands a hint that came from elsewhere to the listeners here. */
  deliver(hint: Hint): void
  channels(): readonly string[]
  close(): void
}

export interface HintsOptions {
  readonly carrier?: HintCarrier
  /** Told of errors thrown by listeners. */
  readonly onError: (error: unknown) => void
  /** Hints after the first are gathered for so long, and equal ones sent once. Default 5 ms. */
  readonly gatherMs?: number
}

/** Wake-up calls: delivered here at once, elsewhere through the carrier. The first goes out without delay. */
export function createHints({ carrier, onError, gatherMs = 5 }: HintsOptions): Hints {
  const listeners = new Map<string, Set<(payload: string) => void>>()
  const waiting = new Map<string, Hint>()
  let timer: NodeJS.Timeout | undefined
  let lastFlush = Number.NEGATIVE_INFINITY
  let scheduled = false
  let closed = false

  function deliver(hint: Hint): void {
    for (const listener of [...(listeners.get(hint.channel) ?? [])]) {
      try {
        listener(hint.payload)
      } catch (error) {
        onError(error)
      }
    }
  }

  function flush(): void {
    scheduled = false
    lastFlush = performance.now()
    const hints = [...waiting.values()]
    waiting.clear()
    if (closed) return
    carrier?.send(hints)
    for (const hint of hints) deliver(hint)
  }

  return {
    listen(channel, hint) {
      const own = (payload: string) => hint(payload)
      const set = listeners.get(channel) ?? new Set()
      set.add(own)
      if (set.size === 1) {
        listeners.set(channel, set)
        carrier?.channelsChanged([...listeners.keys()])
      }
      return () => {
        if (!set.delete(own) || set.size > 0) return
        listeners.delete(channel)
        carrier?.channelsChanged([...listeners.keys()])
      }
    },
    notify(channel, payload = '') {
      if (closed) return
      waiting.set(`${channel}\0${payload}`, { channel, payload })
      if (scheduled) return
      scheduled = true
      const pause = lastFlush + gatherMs - performance.now()
      if (pause <= 0) queueMicrotask(flush)
      else timer = setTimeout(flush, pause)
    },
    deliver,
    channels: () => [...listeners.keys()],
    close() {
      closed = true
      clearTimeout(timer)
      listeners.clear()
    },
  }
}
