import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { isAppError, messageOf } from '../../../foundation/kernel/errors.ts'
import type { AddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import { retryAfterMs } from './backoff.ts'

export interface Outgoing {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What came of one request. `status` null: no answer, and `error` says why. */
export interface Sent {
  readonly status: number | null
  readonly error: string | null
  /** True where trying again cannot help: the address is refused. */
  readonly final: boolean
  readonly address: string | null
  readonly durationMs: number
  /** The beginning of the answer. */
  readonly excerpt: string | null
  readonly retryAfterMs: number | null
}

export interface Sender extends Disposable {
  /** Never throws: a failure is a result. */
  send(request: Outgoing, signal: AbortSignal): Promise<Sent>
}

export interface SenderOptions {
  readonly guard: AddressGuard
  /** For the whole exchange, ms. Default 15,000. */
  readonly timeoutMs?: number
  /** For the rest of an answer whose status is known, ms. Default 2,000. */
  readonly excerptMs?: number
}

const excerptBytes = 2_048

/** Posts to receivers that others chose: guarded addresses, no redirects, bounded time, bounded answers. */
export function createSender({ guard, timeoutMs = 15_000, excerptMs = 2_000 }: SenderOptions): Sender {
  const pool = { keepAlive: true, maxSockets: 32, maxFreeSockets: 8, timeout: 4_000 }
  const agents = { http: new HttpAgent(pool), https: new HttpsAgent(pool) }
  return {
    async send({ url: text, headers, body }, signal) {
      const started = performance.now()
      let address: string | null = null
      const result = (rest: Partial<Sent>): Sent => ({
        status: null,
        error: null,
        final: false,
        excerpt: null,
        retryAfterMs: null,
        ...rest,
        address,
        durationMs: Math.round(performance.now() - started),
      })
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
      try {
        const url = guard.checkUrl(text)
        const secure = url.protocol === 'https:'
        const answer = await new Promise<IncomingMessage>((resolve, reject) => {
          const request = (secure ? httpsRequest : httpRequest)(url, {
            method: 'POST',
            agent: secure ? agents.https : agents.http,
            lookup: guard.lookup,
            signal: limit,
            headers: {
              ...headers,
              'content-length': Buffer.byteLength(body),
              'accept-encoding': 'identity',
              'user-agent': 'leanvibe-webhooks',
            },
          })
          request.once('socket', (socket) => {
            const note = () => {
              address = socket.remoteAddress ?? null
              // An address in the URL is never looked up; whatever the way, nothing is said to a refused one.
              if (address !== null && !guard.permits(plain(address)))
                request.destroy(new Error(`${address} is refused`))
            }
            if (socket.connecting) socket.once('connect', note)
            else note()
          })
          request.once('response', resolve)
          request.once('error', reject)
          request.end(body)
        })
        const status = answer.statusCode ?? 0
        const excerpt = await readExcerpt(answer, AbortSignal.any([limit, AbortSignal.timeout(excerptMs)]))
        const asked = retryAfterMs(answer.headers['retry-after'], new Date())
        if (status >= 200 && status < 300) return result({ status, excerpt })
        const location = status >= 300 && status < 400 ? `, a redirect to ${answer.headers.location ?? 'nowhere'}` : ''
        return result({
          status,
          excerpt,
          retryAfterMs: asked,
          error: `answered ${status}${location}${location === '' ? '' : ' (not followed)'}`.slice(0, 500),
        })
      } catch (error) {
        const refused = isAppError(error) && error.code.startsWith('webhook-')
        const why = signal.aborted
          ? 'interrupted: the process ended'
          : limit.aborted
            ? `no answer within ${timeoutMs / 1_000} s`
            : describe(error)
        return result({ error: why.slice(0, 500), final: refused })
      }
    },
    [Symbol.dispose]() {
      agents.http.destroy()
      agents.https.destroy()
    },
  }
}

/** The first bytes of an answer; the rest is not read, and the connection is used again only if there was none. */
async function readExcerpt(answer: IncomingMessage, signal: AbortSignal): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  const stop = () => answer.destroy()
  signal.addEventListener('abort', stop, { once: true })
  try {
    for await (const part of answer) {
      parts.push(part as Buffer)
      size += (part as Buffer).length
      if (size > excerptBytes) break
    }
  } catch (error) {
    // The status has been told; how the answer breaks off changes nothing.
    if (!answer.destroyed) throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
  return Buffer.concat(parts).subarray(0, excerptBytes).toString('utf8')
}

function describe(error: unknown): string {
  const code = (error as { code?: unknown }).code
  const text = messageOf(error)
  return typeof code === 'string' && !text.includes(code) ? `${code}: ${text}` : text
}

function plain(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  return mapped !== undefined && isIP(mapped) === 4 ? mapped : address
}
