type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

/** Ctrl-C and its kin: the first asks the command to end well, the second ends it at once. */
export interface Interrupts {
  /** Aborts at the first signal, unless the command has its own answer to Ctrl-C. */
  readonly signal: AbortSignal
  /** Settles at the second signal with the exit code to use at once. */
  readonly forced: Promise<number>
  /** Exit code of an interrupted command (128 + signal); 130 before any signal. */
  readonly exitCode: number
  /** What to do at a first Ctrl-C instead of aborting. Other signals end the process, not its work. Returns the undo. */
  onInterrupt(act: () => void): () => void
  /** Stops to listen. */
  close(): void
}

/** The part of `process` that is used; tests bring their own emitter. */
export interface SignalSource {
  on(signal: Signal, listener: () => void): unknown
  off(signal: Signal, listener: () => void): unknown
}

const codes: Readonly<Record<Signal, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }

export function listenForInterrupts(source: SignalSource): Interrupts {
  const abort = new AbortController()
  const forced = Promise.withResolvers<number>()
  let seen = 0
  let exitCode = codes.SIGINT
  let act: (() => void) | null = null
  const listeners = (Object.keys(codes) as Signal[]).map((signal) => {
    const listener = () => {
      seen += 1
      exitCode = codes[signal]
      if (seen > 1) forced.resolve(exitCode)
      else if (act !== null && signal === 'SIGINT') act()
      else abort.abort(new Interrupted())
    }
    source.on(signal, listener)
    return { signal, listener }
  })
  return {
    signal: abort.signal,
    forced: forced.promise,
    get exitCode() {
      return exitCode
    },
    onInterrupt(next) {
      act = next
      return () => {
        act = null
      }
    },
    close() {
      for (const { signal, listener } of listeners) source.off(signal, listener)
    },
  }
}

/** Thrown out of whatever was under way when the user interrupted. */
export class Interrupted extends Error {
  constructor() {
    super('interrupted')
    this.name = 'Interrupted'
  }
}
