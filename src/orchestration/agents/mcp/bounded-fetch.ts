import { sessionErrors } from '../sessions/session-errors.ts'

/** Bytes of one answer, a stream of events included. */
const mostBytes = 64 * 1_048_576

/** `fetch`, but an answer without end is cut. */
export async function boundedFetch(url: string | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init)
  if (response.body === null) return response
  let bytes = 0
  const bounded = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.length
        if (bytes > mostBytes) controller.error(sessionErrors['agent-protocol'](`it sent more than ${mostBytes} bytes`))
        else controller.enqueue(chunk)
      },
    }),
  )
  const { status, statusText, headers } = response
  return new Response(bounded, { status, statusText, headers })
}
