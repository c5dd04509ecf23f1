import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import { AppError } from '../../foundation/kernel/errors.ts'
import { fairTurn } from '../../foundation/kernel/fair-turn.ts'
import { z } from '../../foundation/kernel/schema.ts'
import { problemMediaType, toProblem } from '../../foundation/platform/http/problem.ts'
import type { Upgrade } from '../../foundation/platform/http/route.ts'
import { tokensSchema } from './streams-contract.ts'
import { streamErrors } from './streams-errors.ts'

export interface SocketOptions {
  /** Silence after which the client is asked whether it is there; it has as long to answer. Default 15,000 ms. */
  readonly heartbeatMs?: number
  /** A client that reads nothing for so long, though there is more, is cut. Default 30,000 ms. */
  readonly stallMs?: number
}

/** What a member of a group says. */
export type ClientMessage =
  | { readonly type: 'ack'; readonly tokens: readonly string[] }
  | { readonly type: 'nack'; readonly tokens: readonly string[] }

/** A connection on which events go out. */
export interface EventSocket {
  /** Resolves when the client has room for more. Rejects never: once the client is gone, `signal` is aborted. */
  send(text: string): Promise<void>
  /** Aborted when the client is gone, was cut, or the server ends. */
  readonly signal: AbortSignal
  /** Where a client that is cut can resume: told with the reason. */
  position: string | null
}

export interface SocketTask {
  serve(socket: EventSocket): Promise<void>
  /** Deals with what the client says, one message after the other. */
  answer(message: ClientMessage): Promise<void>
  readonly requestId: string
}

const messageSchema = z.strictObject({ type: z.enum(['ack', 'nack']), tokens: tokensSchema })
/** Bytes that may wait for one client. */
const highWater = 1_048_576
/** Close codes: 1001 the server ends, 1013 too slow, 4000 + status for a failure. */
const codes = { ending: 1001, slow: 1013 } as const

const server = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  maxPayload: 262_144,
  // Small events are sent as they are; without context takeover a connection holds no window of its own.
  perMessageDeflate: { threshold: 512, serverNoContextTakeover: true, zlibDeflateOptions: { level: 3, memLevel: 7 } },
})

/**
 * Takes a connection over and runs `serve` on it until it ends. A failure is told as one message `{"problem": ...}` before
 * the connection closes, so that a client knows where to resume.
 */
export async function serveSocket(
  upgrade: Upgrade,
  signal: AbortSignal,
  options: SocketOptions,
  { serve, answer, requestId }: SocketTask,
): Promise<void> {
  const { heartbeatMs = 15_000, stallMs = 30_000 } = options
  const ws = await accept(upgrade)
  const gone = new AbortController()
  const socket: EventSocket = {
    position: null,
    signal: AbortSignal.any([signal, gone.signal]),
    send: (text) => send(ws, socket, text, stallMs, gone),
  }
  const fail = (error: unknown) => {
    if (gone.signal.aborted) return
    const problem = toProblem(error, requestId)
    ws.send(JSON.stringify({ problem }), () => ws.close(4_000 + problem.status, problem.code))
    gone.abort(error)
  }
  const stopHeartbeat = startHeartbeat(ws, heartbeatMs)
  ws.once('close', () => gone.abort(new Error('the client went away')))
  ws.on('error', () => ws.terminate())
  let handled = Promise.resolve()
  ws.on('message', (data) => {
    handled = handled.then(() => answer(parseMessage(data))).catch(fail)
  })
  try {
    await serve(socket)
  } catch (error) {
    if (!signal.aborted) fail(error)
  } finally {
    stopHeartbeat()
    if (ws.readyState === ws.OPEN) {
      const reason: unknown = signal.reason
      const told =
        reason instanceof AppError && (reason.kind === 'unauthenticated' || reason.code === 'streams-stopped')
      if (told) fail(reason)
      else if (!gone.signal.aborted) ws.close(codes.ending, socket.position ?? '')
    }
    // Whoever does not answer the closing frame is cut.
    if (ws.readyState !== ws.CLOSED) setTimeout(() => ws.terminate(), 2_000).unref()
  }
}

/** Answers an upgrade that is not to be as an ordinary request, with a problem document. */
export function refuseUpgrade({ socket }: Upgrade, error: unknown, requestId: string): void {
  const problem = toProblem(error, requestId)
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
    `content-type: ${problemMediaType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function accept({ request, socket, head }: Upgrade): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const onClose = () => reject(new Error('the client went away'))
    socket.once('close', onClose)
    server.handleUpgrade(request, socket as Duplex, head, (ws) => {
      socket.off('close', onClose)
      resolve(ws)
    })
  })
}

async function send(
  ws: WebSocket,
  socket: EventSocket,
  text: string,
  stallMs: number,
  gone: AbortController,
): Promise<void> {
  for (let turn = fairTurn(); turn !== null; turn = fairTurn()) await turn
  if (ws.readyState !== ws.OPEN) return
  const written = new Promise<void>((resolve) => ws.send(text, () => resolve()))
  if (ws.bufferedAmount < highWater) return
  const stalled = setTimeout(() => {
    // The reason may not reach a client that reads nothing; it knows its last event all the same.
    ws.close(codes.slow, `too slow; resume from ${socket.position ?? 'now'}`)
    gone.abort(new Error(`the client read nothing for ${stallMs} ms`))
    setTimeout(() => ws.terminate(), 1_000).unref()
  }, stallMs)
  try {
    await Promise.race([
      written,
      new Promise((resolve) => gone.signal.addEventListener('abort', resolve, { once: true })),
    ])
  } finally {
    clearTimeout(stalled)
  }
}

function parseMessage(data: RawData): ClientMessage {
  try {
    return messageSchema.parse(JSON.parse(data.toString()))
  } catch (cause) {
    throw streamErrors['stream-message-invalid']('the message is neither ack nor nack', { cause })
  }
}

/** Asks in the pauses; who did not answer by the next time is gone. */
function startHeartbeat(ws: WebSocket, everyMs: number): () => void {
  let alive = true
  ws.on('pong', () => {
    alive = true
  })
  const timer = setInterval(() => {
    if (!alive && ws.bufferedAmount === 0) return ws.terminate()
    alive = false
    ws.ping()
  }, everyMs)
  timer.unref()
  return () => clearInterval(timer)
}
