import { once } from 'node:events'
import type { ServerResponse } from 'node:http'

/**
 * Writes chunks as fast as the client reads and no faster. Ends the response when the source ends; when the client goes
 * away or `signal` aborts, the source is closed and nothing more is written. Throws only what the source throws.
 */
export async function sendStream(
  response: ServerResponse,
  chunks: AsyncIterable<string | Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  for await (const chunk of chunks) {
    if (signal.aborted || response.destroyed) break
    if (!response.write(chunk)) await drained(response, signal)
  }
}

async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  const stop = new AbortController()
  const onEnd = () => stop.abort()
  signal.addEventListener('abort', onEnd, { once: true })
  response.once('close', onEnd)
  try {
    if (!signal.aborted && !response.destroyed) await once(response, 'drain', { signal: stop.signal })
  } catch (error) {
    if (!stop.signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', onEnd)
    response.off('close', onEnd)
  }
}
