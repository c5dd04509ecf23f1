import type { IncomingMessage } from 'node:http'
import { setTimeout as delay, setImmediate } from 'node:timers/promises'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type HTTPMethods } from 'fastify'
import { type IdSource, systemIds } from '../../kernel/ids.ts'
import { type Random, systemRandom } from '../../kernel/random.ts'
import { acceptJson } from './accept-json.ts'
import { answer } from './answer.ts'
import { deprecationHeaders } from './api-versions.ts'
import { type Authenticate, readCredential } from './bearer-token.ts'
import type { CompressionRule } from './compression.ts'
import { type CorsOptions, createCors } from './cors.ts'
import { createDirectRoutes } from './direct-routes.ts'
import { type FrontDoor, type LimitState, rateLimitHeaders, type Verdict } from './front-door.ts'
import { goOn } from './go-on.ts'
import { httpErrors } from './http-errors.ts'
import { type HttpLogger, silentHttpLogger } from './http-logger.ts'
import type { IdempotencyStore } from './idempotency.ts'
import { type Listener, type ListenOptions, listen } from './listener.ts'
import { createMethodTable } from './method-table.ts'
import { createMounts, type Mount } from './mount.ts'
import { ownHeaders } from './own-headers.ts'
import { mayUse, type Principal } from './principal.ts'
import { requestIdOf } from './request-id.ts'
import type { Route, Upgrade } from './route.ts'
import { sendFailure } from './send-failure.ts'
import { formatTraceparent, readTrace, type TraceContext } from './trace-context.ts'
import { watchRight } from './watch-right.ts'

export interface ServerOptions {
  readonly routes: readonly Route[]
  /** What answers all below a prefix by itself. Default: nothing does. */
  readonly mounts?: readonly Mount[]
  readonly authenticate: Authenticate
  readonly logger?: HttpLogger
  readonly ids?: IdSource
  readonly random?: Random
  /** Largest request body where the route does not say. Default 8 MiB. */
  readonly bodyLimit?: number
  /** Pause after which a silent event stream sends a comment. Default 15,000 ms. */
  readonly heartbeatMs?: number
  /** A stream whose client reads nothing for so long, though there is more, is cut; it can be resumed. Default 30,000 ms. */
  readonly stallMs?: number
  /** How often it is asked again whether the caller of an open stream may still be there. Default 2,000 ms. */
  readonly recheckMs?: number
  /** A whole request must have arrived within this time. Default 60,000 ms. */
  readonly requestTimeoutMs?: number
  /** Counts requests and refuses those that are too many. Default: none is. */
  readonly frontDoor?: FrontDoor
  /** Without one, Idempotency-Key has no effect. */
  readonly idempotency?: IdempotencyStore
  readonly cors?: CorsOptions
  /** Default `auto`. */
  readonly compression?: CompressionRule
  /** Addresses and ranges of proxies whose `X-Forwarded-For` is believed. Default: none. */
  readonly trustProxy?: readonly string[]
}

export interface HttpServer {
  /** Opens a port; it may be called for several. `port` 0 (the default) takes a free one. Errors: those of listener.ts. */
  listen(where?: ListenOptions): Promise<{ readonly url: string; readonly port: number }>
  /** A request without a socket, for tests. Streams are answered whole, so they must end. */
  readonly inject: FastifyInstance['inject']
  /** True from the moment `close` is called. */
  readonly draining: boolean
  /** Requests that came in over a socket, and those whose answer left as a whole. */
  figures(): { readonly begun: number; readonly answered: number }
  /**
   * Ends streams, lets requests under way finish for up to `graceMs` (default 5,000), then cuts what is left. New requests
   * are taken for `lingerMs` more (default 0), because load balancers and kept connections learn of the end late. Safe to
   * call twice.
   */
  close(options?: { readonly graceMs?: number; readonly lingerMs?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Requests with more headers are refused: no client of ours sends a tenth of it. */
const mostHeaders = 100

export function createServer(options: ServerOptions): HttpServer {
  const { routes, authenticate, logger = silentHttpLogger, ids = systemIds, random = systemRandom } = options
  const { frontDoor, recheckMs = 2_000, requestTimeoutMs = 60_000 } = options
  const settings = {
    idempotency: options.idempotency ?? null,
    heartbeatMs: options.heartbeatMs ?? 15_000,
    stallMs: options.stallMs ?? 30_000,
    compression: options.compression ?? 'auto',
    logger,
  }
  const cors = createCors(options.cors ?? { origins: [] })
  const drain = new AbortController()
  const upgrades = new WeakMap<IncomingMessage, Upgrade>()
  const known = new WeakMap<FastifyRequest, Known>()
  const listeners: Listener[] = []
  const methods = createMethodTable(routes)
  let closing: Promise<void> | null = null
  const calls = {
    ...{ authenticate, frontDoor, cors, ids, random, logger, upgrades, mostHeaders, drain: drain.signal },
    trustProxy: options.trustProxy ?? [],
  }
  const mounted = createMounts(options.mounts ?? [], calls)
  const direct = createDirectRoutes(routes, calls)

  const app = fastify({
    logger: false,
    bodyLimit: options.bodyLimit ?? 8 * 1_048_576,
    genReqId: (request) => requestIdOf(request.headers['x-request-id']) ?? ids.next<string>('req'),
    return503OnClosing: false,
    trustProxy: options.trustProxy === undefined ? false : [...options.trustProxy],
    exposeHeadRoutes: false,
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 500 },
    frameworkErrors: (error, request, reply) => void fail(error, request, reply),
  })
  acceptJson(app)
  app.addHook('onRequest', (request, reply, done) => {
    const trace = readTrace(request.headers, random)
    known.set(request, { trace, principal: null, limits: [] })
    const { preflight, headers } = cors(request.method, request.headers)
    const own = { 'x-request-id': request.id, traceresponse: formatTraceparent(trace) }
    reply.headers({ ...ownHeaders, ...own, ...headers })
    if (request.protocol === 'https') reply.header('strict-transport-security', 'max-age=31536000')
    if (drain.signal.aborted) reply.header('connection', 'close')
    if (preflight) return void reply.code(204).send()
    if (request.raw.rawHeaders.length > 2 * mostHeaders)
      return done(httpErrors['headers-too-large'](`more than ${mostHeaders} headers`))
    if (frontDoor === undefined || isHealth(request)) return done()
    goOn(
      () => frontDoor.arrive(arrivalOf(request)),
      (verdict) => obey(verdict, request, reply),
      done,
    )
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (drain.signal.aborted) reply.header('connection', 'close')
    done(null, payload)
  })
  app.setNotFoundHandler(async (request, reply) => {
    const path = request.url.split('?')[0]!
    const allowed = methods(path)
    if (allowed.length === 0) throw httpErrors['route-not-found'](`there is no ${request.method} ${path}`)
    reply.header('allow', allowed.join(', '))
    if (request.method === 'OPTIONS') return reply.code(204).send()
    throw httpErrors['method-not-allowed'](`${path} takes ${allowed.join(', ')}, not ${request.method}`)
  })
  app.setErrorHandler((error, request, reply) => fail(error, request, reply))
  for (const route of routes) if (!route.rawBody) addRoute(app, route)
  app.register(async (raw) => {
    raw.removeAllContentTypeParsers()
    raw.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    for (const route of routes) if (route.rawBody) addRoute(raw, route)
  })

  function addRoute(on: FastifyInstance, route: Route): void {
    on.route({
      method: route.method as HTTPMethods,
      url: route.path,
      exposeHeadRoute: route.method === 'GET' && (route.reply === 'json' || route.reply === 'page'),
      ...(route.bodyLimit === null ? {} : { bodyLimit: route.bodyLimit }),
      onRequest: (request, reply, done) => {
        if (route.deprecated !== null) reply.headers(deprecationHeaders(route.deprecated))
        if (route.permission === 'public') return done()
        goOn(
          () => authenticate(request.headers, { ip: request.ip }),
          (principal) => admit(route, request, reply, principal),
          done,
        )
      },
      handler: (request, reply) => handle(route, request, reply),
      config: { limit: route.limit, failure: route.failure },
    })
  }

  function admit(
    route: Route,
    request: FastifyRequest,
    reply: FastifyReply,
    principal: Principal | null,
  ): Promise<void> | void {
    const arrival = arrivalOf(request)
    if (principal === null) return refuseStranger(request, arrival)
    const pass = (verdict: Verdict | undefined) => {
      if (verdict !== undefined) obey(verdict, request, reply)
      if (!mayUse(principal, route.permission)) throw httpErrors.forbidden(`${principal.id} lacks ${route.permission}`)
      known.get(request)!.principal = principal
    }
    const verdict = frontDoor?.admit(arrival, principal)
    return verdict instanceof Promise ? verdict.then(pass) : pass(verdict)
  }

  async function refuseStranger(request: FastifyRequest, arrival: ReturnType<typeof arrivalOf>): Promise<void> {
    if (readCredential(request.headers) !== null) await frontDoor?.fail(arrival)
    throw httpErrors.unauthenticated('no valid key or token')
  }

  /** All limits that a request was counted against are told together. */
  function obey(verdict: Verdict, request: FastifyRequest, reply: FastifyReply): void {
    const state = known.get(request)!
    state.limits = [...state.limits, ...verdict.states]
    reply.headers(rateLimitHeaders(state.limits))
    if (verdict.allowed) return
    throw httpErrors['rate-limited']('too many requests', { details: { retryAfterMs: verdict.retryAfterMs } })
  }

  async function handle(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const { principal, trace } = known.get(request)!
    const gone = new AbortController()
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) gone.abort(new Error('the client went away'))
    })
    const upgrade = upgrades.get(request.raw) ?? null
    const asked = { route, request, reply, principal, trace, upgrade }
    if (route.reply === 'json' || route.reply === 'page') return answer({ ...asked, signal: gone.signal }, settings)
    upgrade?.socket.once('close', () => gone.abort(new Error('the client went away')))
    if (principal !== null) {
      // A connection may carry many answers: the watch ends with this one.
      const end = upgrade === null ? reply.raw : request.raw.socket
      const look = async () => authenticate(request.headers, { ip: request.ip })
      watchRight({ look, permission: route.permission, everyMs: recheckMs, gone, end })
    }
    // What is relayed has an end of its own; it is let finish, as any other answer.
    if (route.reply === 'relay') return answer({ ...asked, signal: gone.signal }, settings)
    return answer({ ...asked, signal: AbortSignal.any([gone.signal, drain.signal]) }, settings)
  }

  function fail(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    return sendFailure(error, request, reply, { logger, traceId: known.get(request)?.trace.traceId })
  }

  async function close({ graceMs = 5_000, lingerMs = 0 } = {}): Promise<void> {
    closing ??= (async () => {
      drain.abort(httpErrors.draining('the server is shutting down'))
      const until = performance.now() + graceMs + lingerMs
      if (lingerMs > 0) await linger(lingerMs)
      for (const { connections } of listeners) connections.drain()
      await Promise.all(listeners.map((listener) => stop(listener, until - performance.now())))
      await app.close()
    })()
    return closing
  }

  return {
    async listen(where = {}) {
      await app.ready()
      const handle = (request: IncomingMessage, response: Parameters<typeof app.routing>[1]) => {
        if (!mounted(request, response) && !direct(request, response)) app.routing(request, response)
      }
      const listener = await listen(where, { handle, upgrades, requestTimeoutMs })
      listeners.push(listener)
      return { url: listener.url, port: listener.port }
    },
    inject: app.inject.bind(app) as FastifyInstance['inject'],
    get draining() {
      return drain.signal.aborted
    },
    figures: () => ({
      begun: listeners.reduce((sum, { connections }) => sum + connections.begun, 0),
      answered: listeners.reduce((sum, { connections }) => sum + connections.answered, 0),
    }),
    close,
    [Symbol.asyncDispose]: () => close(),
  }
}

/** What the hooks of a request have found out so far. */
interface Known {
  readonly trace: TraceContext
  principal: Principal | null
  limits: readonly LimitState[]
}

function arrivalOf(request: FastifyRequest) {
  const { url, config } = request.routeOptions
  const { limit } = config as { readonly limit?: string | null }
  return { method: request.method, path: url ?? '', ip: request.ip, limit: limit ?? null }
}

/** Probes of an orchestrator must not fail because somebody else floods us. */
function isHealth(request: FastifyRequest): boolean {
  return request.routeOptions.url === '/livez' || request.routeOptions.url === '/readyz'
}

/** Waits, and then until what had arrived by the end of it has been read: a busy process may be behind by more than that. */
async function linger(ms: number): Promise<void> {
  await delay(ms)
  for (let turn = 0; turn < 3; turn++) await setImmediate()
}

async function stop({ server, connections }: Listener, graceMs: number): Promise<void> {
  const cut = setTimeout(() => connections.cut(), Math.max(0, graceMs))
  try {
    await new Promise<void>((resolve) => server.close(() => resolve()))
  } finally {
    clearTimeout(cut)
  }
}
