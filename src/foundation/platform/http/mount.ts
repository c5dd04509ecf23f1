import type { IncomingMessage, ServerResponse } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { IdSource } from '../../kernel/ids.ts'
import type { Random } from '../../kernel/random.ts'
import { type Authenticate, readCredential } from './bearer-token.ts'
import { clientAddressOf } from './client-address.ts'
import type { createCors } from './cors.ts'
import { type FrontDoor, type LimitState, rateLimitHeaders, type Verdict } from './front-door.ts'
import { httpErrors } from './http-errors.ts'
import type { HttpLogger } from './http-logger.ts'
import { mayUse, type Permission, type Principal } from './principal.ts'
import { problemMediaType, toProblem, toRequestFailure } from './problem.ts'
import { requestIdOf } from './request-id.ts'
import type { Upgrade } from './route.ts'
import { formatTraceparent, readTrace, type TraceContext } from './trace-context.ts'

/**
 * Answers all that comes below a prefix by itself, unparsed, streams and upgrades included. The caller is known by then and
 * counted by its address; all else is for the mount: `permit` and `admit` before it acts.
 */
export interface Mount {
  /** Without a slash at its end: `/gateway`. */
  readonly prefix: `/${string}`
  /** By what name its requests are counted and told. Default: the prefix. */
  readonly name?: string
  /** Nobody is asked who it is, and there is no principal. */
  readonly open?: boolean
  /** What it throws becomes a problem document, as long as no answer has begun. */
  readonly handle: (call: MountCall) => Promise<void> | void
}

export interface MountCall {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Where the client wants to upgrade the connection. */
  readonly upgrade: Upgrade | null
  /** What follows the prefix; it begins with a slash. */
  readonly path: string
  /** With its question mark, or empty. */
  readonly query: string
  readonly principal: Principal
  readonly requestId: string
  readonly trace: TraceContext
  readonly ip: string
  readonly secure: boolean
  /** Aborts when the server begins to end. */
  readonly drain: AbortSignal
  /** Throws `forbidden` where the caller lacks it. */
  permit(permission: Permission): void
  /** Counts the request against the limits of key, tenant and this name. Throws `rate-limited`. */
  admit(name: string): Promise<void> | void
  /** Adds to the limits that are told. Throws `rate-limited` where the verdict says so. */
  obey(verdict: Verdict): void
  /** Headers that every answer carries, as a flat list: ids, limits, cross-origin rules. */
  ownHeaders(): string[]
  /** Answers with a problem document, or cuts an answer that has begun. */
  fail(error: unknown): void
}

export interface MountSettings {
  readonly authenticate: Authenticate
  readonly frontDoor: FrontDoor | undefined
  readonly cors: ReturnType<typeof createCors>
  readonly ids: IdSource
  readonly random: Random
  readonly logger: HttpLogger
  readonly trustProxy: readonly string[]
  readonly upgrades: WeakMap<IncomingMessage, Upgrade>
  readonly drain: AbortSignal
  /** Requests with more headers are refused. */
  readonly mostHeaders: number
}

/** Takes the requests below the prefixes of `mounts`; false for any other. */
export function createMounts(
  mounts: readonly Mount[],
  settings: MountSettings,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const take = createTaker(settings)
  return (request, response) => {
    const url = request.url ?? ''
    const mount = mounts.find(({ prefix }) => isBelow(url, prefix))
    if (mount === undefined) return false
    take(mount, request, response)
    return true
  }
}

/** Lets a mount answer a request, whatever its path. */
export function createTaker(
  settings: MountSettings,
): (mount: Mount, request: IncomingMessage, response: ServerResponse) => void {
  const addressOf = clientAddressOf(settings.trustProxy)
  return (mount, request, response) => {
    const call = new Call(mount, request, response, addressOf(request), settings)
    call.run().catch((error) => call.fail(error))
  }
}

function isBelow(url: string, prefix: string): boolean {
  if (!url.startsWith(prefix)) return false
  const next = url.charCodeAt(prefix.length)
  // The end, a slash or a question mark.
  return Number.isNaN(next) || next === 47 || next === 63
}

class Call implements MountCall {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly path: string
  readonly query: string
  readonly requestId: string
  readonly trace: TraceContext
  readonly ip: string
  readonly #mount: Mount
  readonly #settings: MountSettings
  readonly #crossOrigin: ReturnType<ReturnType<typeof createCors>>
  #principal: Principal | null = null
  #limits: readonly LimitState[] = []

  constructor(mount: Mount, request: IncomingMessage, response: ServerResponse, ip: string, settings: MountSettings) {
    this.request = request
    this.response = response
    this.ip = ip
    this.#mount = mount
    this.#settings = settings
    const below = request.url!.slice(mount.prefix.length)
    const cut = below.indexOf('?')
    const path = cut === -1 ? below : below.slice(0, cut)
    this.path = path === '' ? '/' : path
    this.query = cut === -1 ? '' : below.slice(cut)
    this.requestId = requestIdOf(request.headers['x-request-id']) ?? settings.ids.next<string>('req')
    this.trace = readTrace(request.headers, settings.random)
    this.#crossOrigin = settings.cors(request.method ?? '', request.headers)
  }

  get #name(): string {
    return this.#mount.name ?? this.#mount.prefix
  }

  get upgrade(): Upgrade | null {
    return this.#settings.upgrades.get(this.request) ?? null
  }

  get secure(): boolean {
    return this.request.socket instanceof TLSSocket
  }

  get drain(): AbortSignal {
    return this.#settings.drain
  }

  get principal(): Principal {
    if (this.#principal === null) throw new Error('the caller is not known yet')
    return this.#principal
  }

  async run(): Promise<void> {
    const { authenticate, frontDoor, mostHeaders } = this.#settings
    if (this.#crossOrigin.preflight) return void this.response.writeHead(204, this.ownHeaders()).end()
    if (this.request.rawHeaders.length > 2 * mostHeaders)
      throw httpErrors['headers-too-large'](`more than ${mostHeaders} headers`)
    if (frontDoor !== undefined) {
      const verdict = frontDoor.arrive(this.#arrival(this.#name))
      this.obey(verdict instanceof Promise ? await verdict : verdict)
    }
    if (this.#mount.open === true) return this.#mount.handle(this)
    const known = authenticate(this.request.headers, { ip: this.ip })
    const principal = known instanceof Promise ? await known : known
    if (principal === null) {
      if (readCredential(this.request.headers) !== null) await frontDoor?.fail(this.#arrival(this.#name))
      throw httpErrors.unauthenticated('no valid key or token')
    }
    this.#principal = principal
    await this.#mount.handle(this)
  }

  permit(permission: Permission): void {
    if (!mayUse(this.principal, permission)) throw httpErrors.forbidden(`${this.principal.id} lacks ${permission}`)
  }

  admit(name: string): Promise<void> | void {
    const verdict = this.#settings.frontDoor?.admit(this.#arrival(name), this.principal)
    if (verdict === undefined) return
    if (verdict instanceof Promise) return verdict.then((known) => this.obey(known))
    this.obey(verdict)
  }

  obey({ allowed, states, retryAfterMs }: Verdict): void {
    if (states.length > 0) this.#limits = [...this.#limits, ...states]
    if (!allowed) throw httpErrors['rate-limited']('too many requests', { details: { retryAfterMs } })
  }

  ownHeaders(): string[] {
    const own = ['x-request-id', this.requestId, 'traceresponse', formatTraceparent(this.trace)]
    const { headers } = this.#crossOrigin
    for (const name in headers) own.push(name, headers[name]!)
    if (this.#limits.length > 0) {
      const limits = rateLimitHeaders(this.#limits)
      for (const name in limits) own.push(name, limits[name]!)
    }
    if (this.secure) own.push('strict-transport-security', 'max-age=31536000')
    if (this.#settings.drain.aborted) own.push('connection', 'close')
    return own
  }

  fail(error: unknown): void {
    const { response, requestId, request } = this
    const failure = toRequestFailure(error, request)
    const problem = toProblem(failure, requestId)
    const fields = {
      requestId,
      traceId: this.trace.traceId,
      method: request.method,
      path: this.#name,
      code: problem.code,
    }
    const { logger } = this.#settings
    if (failure.kind === 'unavailable') logger.debug({ ...fields, detail: failure.message }, 'request put off')
    else if (problem.status >= 500) logger.error({ ...fields, error: failure.cause ?? failure }, 'request failed')
    else logger.debug({ ...fields, detail: failure.message }, 'request refused')
    if (response.headersSent || response.destroyed) {
      response.destroy()
      return
    }
    const { retryAfterMs: wait, allow } = failure.details
    const body = JSON.stringify(problem)
    response.writeHead(problem.status, [
      ...this.ownHeaders(),
      ...['content-type', problemMediaType, 'content-length', String(Buffer.byteLength(body))],
      ...['cache-control', 'no-store', 'x-content-type-options', 'nosniff'],
      ...(problem.status === 401 ? ['www-authenticate', 'Bearer'] : []),
      ...(problem.status === 405 && typeof allow === 'string' ? ['allow', allow] : []),
      ...(typeof wait === 'number' ? ['retry-after', String(Math.ceil(wait / 1_000))] : []),
      // What is left of a body that is not wanted would have to be read to its end.
      ...(request.complete || this.#settings.drain.aborted ? [] : ['connection', 'close']),
    ])
    response.end(body)
  }

  #arrival(path: string) {
    return { method: this.request.method ?? '', path, ip: this.ip, limit: null }
  }
}
