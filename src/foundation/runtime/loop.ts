import type { Pulse } from '../platform/database/pulse.ts'

/** A background activity that can be hurried and ended. */
export interface Loop {
  /** Asks for a step soon; many pokes before it are one. */
  poke(): void
  /** Ends the loop and waits for the step under way. */
  stop(): Promise<void>
}

export interface LoopOptions {
  /** One unit of work. Returning true asks for another at once, a number for another within so many ms. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a step that never asks for another may simply not return
  readonly step: (signal: AbortSignal) => Promise<boolean | number | void>
  /** Time between steps when nobody pokes, ms. */
  readonly pollMs: number
  /** Polls rarely while nothing changes. Default: never, as often as ever. */
  readonly idle?: Idle | undefined
  /** Least time between the starts of two steps, ms. Default 0. */
  readonly minIntervalMs?: number
  /** A failed step is reported here. The next one comes after the poll time, but within 5 s; pokes do not hurry it. */
  readonly onError: (error: unknown) => void
}

export interface Idle {
  readonly pulse: Pulse
  /** Time between steps while nothing changes, ms. Default 5,000. */
  readonly pollMs?: number
}

const mostRestMs = 5_000
/** Nothing has changed for so long: nothing will follow from the last change without a time that its step knows. */
const quietAfterMs = 3_000

/** Whether loops that follow this pulse poll rarely. */
export function isQuiet(pulse: Pulse): boolean {
  return pulse.quietMs() >= quietAfterMs
}

/**
 * Runs `step` one at a time: at once, after every poke, and at every poll. Its timers do not keep the process alive. While
 * the pulse is quiet polls are rare; from its next beat on, the next step is no further away than `pollMs`.
 */
export function createLoop(options: LoopOptions): Loop {
  const { idle } = options
  const idlePollMs = Math.max(options.pollMs, idle?.pollMs ?? 5_000)
  const stopping = new AbortController()
  let poked = true
  let wake: (() => void) | null = null

  const pause = (ms: number, wakeable: boolean, pulse?: Pulse) =>
    new Promise<void>((resolve) => {
      const until = performance.now() + ms
      let timer = setTimeout(done, ms)
      timer.unref()
      const unlisten = pulse?.onBeat(() => {
        unlisten?.()
        clearTimeout(timer)
        timer = setTimeout(done, Math.max(0, Math.min(options.pollMs, until - performance.now())))
        timer.unref()
      })
      stopping.signal.addEventListener('abort', done, { once: true })
      if (wakeable) wake = done

      function done() {
        clearTimeout(timer)
        unlisten?.()
        stopping.signal.removeEventListener('abort', done)
        wake = null
        resolve()
      }
    })

  const rest = (withinMs: number) => {
    if (idle === undefined || !isQuiet(idle.pulse)) {
      return pause(Math.min(options.pollMs, withinMs), true)
    }
    return pause(Math.min(idlePollMs, withinMs), true, idle.pulse)
  }

  const run = async () => {
    while (!stopping.signal.aborted) {
      poked = false
      let withinMs = Number.POSITIVE_INFINITY
      const started = performance.now()
      try {
        const more = await options.step(stopping.signal)
        if (more === true) poked = true
        else if (typeof more === 'number') withinMs = Math.max(0, more)
      } catch (error) {
        if (stopping.signal.aborted) return
        options.onError(error)
        await pause(Math.min(options.pollMs, mostRestMs), false)
        continue
      }
      const least = (options.minIntervalMs ?? 0) - (performance.now() - started)
      if (least > 0 && !stopping.signal.aborted) await pause(least, false)
      if (!poked && !stopping.signal.aborted) await rest(withinMs)
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
