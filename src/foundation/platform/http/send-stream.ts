import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { fairTurn } from '../../kernel/fair-turn.ts'

/**
 * Writes chunks as fast as the client reads and no faster. Returns when the source ends, when the client goes away, when it
 * has read nothing for `stallMs` (then it is cut off) or when `signal` aborts; then the source is closed and nothing more is
 * written. Throws only what the source throws.
 */
export async function sendStream(
  sink: Writable,
  chunks: AsyncIterable<string | Uint8Array>,
  signal: AbortSignal,
  stallMs = 30_000,
): Promise<void> {
  for await (const chunk of chunks) {
    // A thousand readers of the same event would otherwise be written to before anybody else is heard.
    for (let turn = fairTurn(); turn !== null; turn = fairTurn()) await turn
    if (signal.aborted || sink.destroyed) break
    if (!sink.write(chunk)) await drained(sink, signal, stallMs)
  }
}

async function drained(sink: Writable, signal: AbortSignal, stallMs: number): Promise<void> {
  const stop = new AbortController()
  const onEnd = () => stop.abort()
  const stalled = setTimeout(() => sink.destroy(new Error(`the client read nothing for ${stallMs} ms`)), stallMs)
  signal.addEventListener('abort', onEnd, { once: true })
  sink.once('close', onEnd)
  try {
    if (!signal.aborted && !sink.destroyed) await once(sink, 'drain', { signal: stop.signal })
  } catch (error) {
    if (!stop.signal.aborted) throw error
  } finally {
    clearTimeout(stalled)
    signal.removeEventListener('abort', onEnd)
    sink.off('close', onEnd)
  }
}
