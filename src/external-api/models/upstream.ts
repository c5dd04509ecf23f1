import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

export interface UpstreamRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Without a byte for so long, in either direction, it is given up, ms. */
  readonly timeoutMs: number
}

/** `unsent`: it cannot have been heard, so it cannot have cost anything. */
export class UpstreamLost extends Error {
  readonly unsent: boolean

  constructor(message: string, unsent: boolean, cause: unknown) {
    super(message, { cause })
    this.unsent = unsent
  }
}

export interface Upstream extends Disposable {
  /** The answer as soon as its headers are there. Errors: `UpstreamLost`; the reason of `signal`. */
  send(request: UpstreamRequest, signal: AbortSignal): Promise<IncomingMessage>
}

/** Errors of a connection that never was. */
const neverConnected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'CERT_HAS_EXPIRED',
])

/** Calls providers over kept connections; answers come as they are, never compressed. */
export function createUpstream(): Upstream {
  const pool = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 256, noDelay: true }
  const agents = { http: new HttpAgent(pool), https: new HttpsAgent(pool) }
  return {
    send: ({ url, headers, body, timeoutMs }, signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted()
        const secure = url.startsWith('https:')
        let connected = false
        const request = (secure ? httpsRequest : httpRequest)(url, {
          method: 'POST',
          agent: secure ? agents.https : agents.http,
          timeout: timeoutMs,
          headers: { ...headers, 'content-length': Buffer.byteLength(body), 'accept-encoding': 'identity' },
        })
        // Without an error of its own: between two requests nobody listens to the errors of a kept connection.
        const abort = () => request.destroy()
        const settled = () => signal.removeEventListener('abort', abort)
        signal.addEventListener('abort', abort, { once: true })
        request.once('close', settled)
        request.once('socket', (socket) => {
          const note = () => {
            connected = true
          }
          if (socket.connecting) socket.once(secure ? 'secureConnect' : 'connect', note)
          else note()
        })
        request.once('timeout', () => request.destroy(new Error(`nothing was heard for ${timeoutMs} ms`)))
        request.once('response', (answer) => {
          // Whoever reads it hears of it; where nobody does any more, there is nobody to tell.
          answer.on('error', () => {})
          answer.once('end', settled)
          resolve(answer)
        })
        request.on('error', (error: NodeJS.ErrnoException) => {
          if (signal.aborted) reject(signal.reason)
          else reject(new UpstreamLost(error.message, !connected || neverConnected.has(error.code ?? ''), error))
        })
        request.end(body)
      }),
    [Symbol.dispose]() {
      agents.http.destroy()
      agents.https.destroy()
    },
  }
}

/** The whole of an answer that is no stream. Throws beyond `most` bytes. */
export async function readAnswer(answer: IncomingMessage, most = 64 * 1_048_576): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of answer as AsyncIterable<Buffer>) {
    size += part.length
    if (size > most) throw new Error('the answer is too long')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** Where requests of a form go at an address; addresses that name no path get the usual `/v1`. */
export function urlOf(base: string, path: string): string {
  const named = new URL(base).pathname.replace(/\/+$/, '')
  // Some say `https://host/v1`, some `https://host`, some have a path of their own before what is usual.
  if (named.endsWith('/v1')) return base + path.slice('/v1'.length)
  if (named === '' || path.startsWith('/v1/messages')) return base + path
  return base + path.slice('/v1'.length)
}
