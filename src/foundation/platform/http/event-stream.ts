import type { ServerEvent } from './endpoint-contract.ts'

/** The wire form of one event. Newlines inside are data, not framing. */
export function encodeEvent({ id, event, data }: ServerEvent<unknown>): string {
  const head =
    (id === undefined ? '' : `id: ${oneLine(id)}\n`) + (event === undefined ? '' : `event: ${oneLine(event)}\n`)
  return `${head}data: ${JSON.stringify(data)}\n\n`
}

/** Events in their wire form already, made once for many readers. The contract is not applied again. */
export class EncodedEvents {
  readonly bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

/** A comment line: proves to both sides, and to proxies between, that the stream lives. */
export const heartbeat = ': heartbeat\n\n'

/**
 * Passes `items` on and yields `beat` whenever `ms` pass without one. At most one item is asked for ahead, so a slow
 * reader slows the source. Ends when the source ends; on abort it stops and closes the source.
 */
export async function* withHeartbeat<T>(
  items: AsyncIterable<T>,
  ms: number,
  beat: T,
  signal: AbortSignal,
): AsyncGenerator<T, void> {
  const source = items[Symbol.asyncIterator]()
  let settled: { result: IteratorResult<T> } | { error: unknown } | null = null
  let asked = false
  let wake = () => {}
  const onAbort = () => wake()
  signal.addEventListener('abort', onAbort)
  try {
    for (;;) {
      if (!asked) {
        asked = true
        source.next().then(
          (result) => {
            settled = { result }
            wake()
          },
          (error) => {
            settled = { error }
            wake()
          },
        )
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
        if (settled !== null || signal.aborted) wake()
      })
      if (signal.aborted) return
      const outcome = settled as { result: IteratorResult<T> } | { error: unknown } | null
      if (outcome === null) {
        yield beat
        continue
      }
      settled = null
      asked = false
      if ('error' in outcome) throw outcome.error
      if (outcome.result.done) return
      yield outcome.result.value
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    // A source that is still busy closes itself when it notices the abort; waiting for it here could take for ever.
    const closing = Promise.resolve(source.return?.())
    if (asked) closing.catch(() => {})
    else await closing
  }
}

function oneLine(text: string): string {
  return text.replace(/[\r\n\0]+/g, ' ')
}
