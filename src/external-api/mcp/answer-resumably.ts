import {
  isJSONRPCErrorResponse,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  type Server,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server'
import type { ReplayStream } from './replay-streams.ts'

/** Milliseconds after which a client comes back that has lost its stream. */
const comeBackMs = 1_000

/** Answers one request by a server of its own, on a stream that is kept and whose events have names. The signal of the request ends it. */
export async function answerResumably(
  server: Server,
  stream: ReplayStream,
  request: Request,
  parsedBody: unknown,
): Promise<Response> {
  const transport = new WebStandardStreamableHTTPServerTransport({
    retryInterval: comeBackMs,
    eventStore: {
      storeEvent: async (_, message) => {
        const last = isLast(message)
        // Not before the answer is written to whoever still reads.
        if (last) setImmediate(() => void server.close())
        // The first only names the place at which the stream begins.
        return stream.push(Object.keys(message).length === 0 ? '' : JSON.stringify(message), last)
      },
      // A stream is taken up again by the mount, whichever request began it.
      replayEventsAfter: async () => stream.id,
    },
  })
  await server.connect(transport)
  request.signal.addEventListener('abort', () => void server.close(), { once: true })
  const answer = await transport.handleRequest(request, { parsedBody })
  if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) stream.drop()
  return answer
}

function isLast(message: JSONRPCMessage): boolean {
  return isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message)
}
