/** A background activity that can be hurried and ended. */
export interface Loop {
  /** Asks for a step soon; many pokes before it are one. */
  poke(): void
  /** Ends the loop and waits for the step under way. */
  stop(): Promise<void>
}

export interface LoopOptions {
  /** One unit of work. Returning true asks for another at once. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a step that never asks for another may simply not return
  readonly step: (signal: AbortSignal) => Promise<boolean | void>
  /** Time between steps when nobody pokes, ms. */
  readonly pollMs: number
  /** Least time between the starts of two steps, ms. Default 0. */
  readonly minIntervalMs?: number
  /** A failed step is reported here. The next one comes after the poll time, but within 5 s; pokes do not hurry it. */
  readonly onError: (error: unknown) => void
}

const mostRestMs = 5_000

/** Runs `step` one at a time: at once, after every poke, and at every poll. Its timers do not keep the process alive. */
export function createLoop(options: LoopOptions): Loop {
  const stopping = new AbortController()
  let poked = true
  let wake: (() => void) | null = null

  const pause = (ms: number, wakeable: boolean) =>
    new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer)
        stopping.signal.removeEventListener('abort', done)
        wake = null
        resolve()
      }
      const timer = setTimeout(done, ms)
      timer.unref()
      stopping.signal.addEventListener('abort', done, { once: true })
      if (wakeable) wake = done
    })

  const run = async () => {
    while (!stopping.signal.aborted) {
      poked = false
      const started = performance.now()
      try {
        if (await options.step(stopping.signal)) poked = true
      } catch (error) {
        if (stopping.signal.aborted) return
        options.onError(error)
        await pause(Math.min(options.pollMs, mostRestMs), false)
        continue
      }
      const rest = (options.minIntervalMs ?? 0) - (performance.now() - started)
      if (rest > 0 && !stopping.signal.aborted) await pause(rest, false)
      if (!poked && !stopping.signal.aborted) await pause(options.pollMs, true)
    }
  }

  const finished = run()
  return {
    poke() {
      poked = true
      wake?.()
    },
    async stop() {
      stopping.abort()
      await finished
    },
  }
}
