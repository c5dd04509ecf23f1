/** Lets one holder in at a time, in the order they came. */
export interface Turnstile {
  run<T>(fn: () => Promise<T>): Promise<T>
}

export function createTurnstile(): Turnstile {
  const waiting: (() => void)[] = []
  let busy = false

  return {
    async run(fn) {
      if (busy) await new Promise<void>((resolve) => waiting.push(resolve))
      busy = true
      try {
        return await fn()
      } finally {
        // The next one is let in before anyone new can pass, so `busy` stays set.
        const next = waiting.shift()
        if (next) next()
        else busy = false
      }
    },
  }
}
