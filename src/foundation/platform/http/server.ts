import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type HTTPMethods } from 'fastify'
import { type IdSource, systemIds } from '../../kernel/ids.ts'
import { parseWith } from '../../kernel/schema.ts'
import type { Authenticate } from './bearer-token.ts'
import { httpErrors } from './http-errors.ts'
import { type HttpLogger, silentHttpLogger } from './http-logger.ts'
import { trackConnections } from './open-connections.ts'
import { mayUse, type Principal } from './principal.ts'
import { problemMediaType, toAppError, toProblem } from './problem.ts'
import { sendReply } from './reply.ts'
import type { Route } from './route.ts'

export interface ServerOptions {
  readonly routes: readonly Route[]
  readonly authenticate: Authenticate
  readonly logger?: HttpLogger
  readonly ids?: IdSource
  /** Largest request body. Default 8 MiB. */
  readonly bodyLimit?: number
  /** Pause after which a silent event stream sends a comment. Default 15,000 ms. */
  readonly heartbeatMs?: number
}

export interface HttpServer {
  /** Starts to listen. `host` must be a loopback address; `port` 0 (the default) takes a free one. */
  listen(where?: {
    readonly host?: string
    readonly port?: number
  }): Promise<{ readonly url: string; readonly port: number }>
  /** A request without a socket, for tests. Streams are answered whole, so they must end. */
  readonly inject: FastifyInstance['inject']
  /** True from the moment `close` is called. */
  readonly draining: boolean
  /**
   * Stops to accept, ends streams, lets requests under way finish for up to `graceMs` (default 5,000), then cuts what is
   * left. Safe to call twice.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const loopback: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost'])

export function createServer(options: ServerOptions): HttpServer {
  const { routes, authenticate, logger = silentHttpLogger, ids = systemIds } = options
  const heartbeatMs = options.heartbeatMs ?? 15_000
  const drain = new AbortController()
  let closing: Promise<void> | null = null

  const app = fastify({
    logger: false,
    bodyLimit: options.bodyLimit ?? 8 * 1_048_576,
    genReqId: (request) => requestIdOf(request.headers['x-request-id']) ?? ids.next<string>('req'),
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: false },
  })
  const connections = trackConnections(app.server)
  app.removeContentTypeParser('text/plain')
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
  })
  app.setNotFoundHandler((request) => {
    throw httpErrors['route-not-found'](`there is no ${request.method} ${request.url.split('?')[0]}`)
  })
  app.setErrorHandler((error, request, reply) => sendFailure(error, request, reply, logger))
  for (const route of routes) {
    app.route({
      method: route.method as HTTPMethods,
      url: route.path,
      onRequest: async (request) => {
        if (route.permission === 'public') return
        const principal = await authenticate(request.headers)
        if (principal === null) throw httpErrors.unauthenticated('no valid bearer token')
        if (!mayUse(principal, route.permission))
          throw httpErrors.forbidden(`${principal.id} lacks ${route.permission}`)
        principals.set(request, principal)
      },
      handler: (request, reply) => answer(route, request, reply),
    })
  }

  async function answer(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const gone = new AbortController()
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) gone.abort(new Error('the client went away'))
    })
    const signal = route.reply === 'json' ? gone.signal : AbortSignal.any([gone.signal, drain.signal])
    const lastEventId = request.headers['last-event-id']
    const result = await route.handle({
      params: route.params === null ? undefined : parseWith(route.params, request.params, 'path'),
      query: route.query === null ? undefined : parseWith(route.query, request.query, 'query'),
      body: route.body === null ? undefined : parseWith(route.body, request.body ?? {}, 'body'),
      principal: principals.get(request) ?? null,
      signal,
      requestId: request.id,
      lastEventId: typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : null,
    })
    return sendReply({ route, result, reply, signal, heartbeatMs, logger })
  }

  async function close({ graceMs = 5_000 }: { readonly graceMs?: number } = {}): Promise<void> {
    closing ??= (async () => {
      drain.abort(httpErrors.draining('the server is shutting down'))
      connections.drain()
      const cut = setTimeout(() => app.server.closeAllConnections(), graceMs)
      try {
        await app.close()
      } finally {
        clearTimeout(cut)
      }
    })()
    return closing
  }

  return {
    async listen({ host = '127.0.0.1', port = 0 } = {}) {
      if (!loopback.has(host)) throw httpErrors['bind-refused'](`will not listen on ${host}: not a loopback address`)
      try {
        await app.listen({ host, port })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
        throw httpErrors['address-in-use'](`port ${port} on ${host} is taken`, { cause: error })
      }
      const address = app.server.address() as AddressInfo
      const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address
      return { url: `http://${shown}:${address.port}`, port: address.port }
    },
    inject: app.inject.bind(app) as FastifyInstance['inject'],
    get draining() {
      return drain.signal.aborted
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  }
}

const principals = new WeakMap<FastifyRequest, Principal>()

function sendFailure(error: unknown, request: FastifyRequest, reply: FastifyReply, logger: HttpLogger): FastifyReply {
  const known = toAppError(error)
  const problem = toProblem(known, request.id)
  const fields = { requestId: request.id, method: request.method, path: request.routeOptions.url, code: problem.code }
  if (problem.status >= 500) logger.error({ ...fields, error: known.cause ?? known }, 'request failed')
  else logger.debug({ ...fields, detail: known.message }, 'request refused')
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
  const wait = known.details.retryAfterMs
  if (typeof wait === 'number') reply.header('retry-after', String(Math.ceil(wait / 1_000)))
  return reply.code(problem.status).type(problemMediaType).send(problem)
}

/** A caller's own request id, if it is harmless to repeat in headers and logs. */
function requestIdOf(header: string | string[] | undefined): string | null {
  return typeof header === 'string' && /^[\w.-]{1,64}$/.test(header) ? header : null
}
