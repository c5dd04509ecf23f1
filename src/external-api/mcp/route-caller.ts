import { parseWith } from '../../foundation/kernel/schema.ts'
import { httpErrors } from '../../foundation/platform/http/http-errors.ts'
import { readIfMatch } from '../../foundation/platform/http/preconditions.ts'
import { mayUse, type Principal } from '../../foundation/platform/http/principal.ts'
import type { ByteReply, Route } from '../../foundation/platform/http/route.ts'
import type { TraceContext } from '../../foundation/platform/http/trace-context.ts'
import type { AnyEndpoint, FleetApi, FleetArgs } from './fleet-api.ts'

/** Who calls, and by which request. */
export interface RouteCall {
  readonly principal: Principal
  readonly requestId: string
  readonly trace: TraceContext
  readonly ip: string
  /** Aborts when the client goes away or the server ends. */
  readonly signal: AbortSignal
}

/** Finds routes by the endpoints that they answer. */
export function indexRoutes(routes: readonly Route[]): ReadonlyMap<string, Route> {
  return new Map(routes.map((route) => [keyOf(route), route]))
}

/** Calls routes of this process as the server would for a request of this caller: permission, schemas, tenant. */
export function createRouteCaller(routes: ReadonlyMap<string, Route>, call: RouteCall): FleetApi {
  const routeOf = (endpoint: AnyEndpoint): Route => {
    const route = routes.get(keyOf(endpoint))
    if (route === undefined) throw new Error(`no route answers ${keyOf(endpoint)}`)
    return route
  }
  const handle = async (endpoint: AnyEndpoint, args: FleetArgs): Promise<unknown> => {
    const route = routeOf(endpoint)
    const { principal, signal } = call
    if (!mayUse(principal, route.permission)) throw httpErrors.forbidden(`${principal.id} lacks ${route.permission}`)
    const { requestId, trace, ip } = call
    return route.handle({
      params: route.params === null ? undefined : parseWith(route.params, textsOf(args.params), 'path'),
      query: route.query === null ? undefined : parseWith(route.query, textsOf(args.query), 'query'),
      body: route.body === null ? undefined : parseWith(route.body, args.body ?? {}, 'body'),
      signal: args.signal === undefined ? signal : AbortSignal.any([signal, args.signal]),
      ...{ principal, requestId, trace, ip, headers: {}, lastEventId: null, idempotencyKey: null },
      ...{ ifMatch: readIfMatch(undefined), rawBody: null, upgrade: null, tookEffect: () => {}, tellLimit: () => {} },
    })
  }
  return {
    async call(endpoint, args = {}) {
      const answer = await handle(endpoint, args)
      return (endpoint.output === undefined ? undefined : parseWith(endpoint.output, answer, 'answer')) as never
    },
    async *lines(endpoint, args) {
      const answer = (await handle(endpoint, args)) as AsyncIterable<unknown>
      for await (const line of answer) yield parseWith(endpoint.output!, line, 'line') as never
    },
    async bytes(endpoint, args) {
      const { mediaType, body } = (await handle(endpoint, args)) as ByteReply
      return { mediaType, body: typeof body === 'string' || body instanceof Uint8Array ? once(body) : body }
    },
    may: (endpoint) => mayUse(call.principal, routeOf(endpoint).permission),
  }
}

function keyOf({ method, path }: { readonly method: string; readonly path: string }): string {
  return `${method} ${path}`
}

/** As they would stand in an address. */
function textsOf(values: object = {}): Record<string, string> {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null)
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]))
}

async function* once(body: string | Uint8Array): AsyncGenerator<Uint8Array> {
  yield typeof body === 'string' ? Buffer.from(body) : body
}
