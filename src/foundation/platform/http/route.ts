import type { z } from 'zod'
import type { Endpoint, NoSchema, ReplyKind, ServerEvent } from './endpoint-contract.ts'
import type { Permission, Principal } from './principal.ts'

type Parsed<S extends z.ZodType> = [S] extends [NoSchema] ? undefined : z.output<S>
// biome-ignore lint/suspicious/noConfusingVoidType: a handler without an output may simply not return
type Answer<S extends z.ZodType> = [S] extends [NoSchema] ? undefined | void : z.input<S>

/** Content for a `bytes` route. It is always served as an attachment and never sniffed: agents wrote it. */
export interface ByteReply {
  readonly mediaType: string
  readonly body: AsyncIterable<Uint8Array> | Uint8Array | string
  readonly bytes?: number
  readonly fileName?: string
}

export type ReplyOf<R extends ReplyKind, O extends z.ZodType> = {
  json: Answer<O>
  lines: AsyncIterable<Answer<O>>
  events: AsyncIterable<ServerEvent<Answer<O>>>
  bytes: ByteReply
}[R]

export interface RouteRequest<P, Q, B, Who> {
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly principal: Who
  /** Aborted when the client goes away and, for streams, when the server drains. */
  readonly signal: AbortSignal
  readonly requestId: string
  /** The `Last-Event-ID` a reconnecting event client sent, else null. */
  readonly lastEventId: string | null
}

/** A route as the server runs it: the schemas' types are checked where it is made and erased here. */
export interface Route {
  readonly method: string
  readonly path: string
  readonly summary: string | null
  readonly permission: Permission
  readonly reply: ReplyKind
  readonly status: number
  readonly params: z.ZodType | null
  readonly query: z.ZodType | null
  readonly body: z.ZodType | null
  readonly output: z.ZodType | null
  // biome-ignore lint/suspicious/noExplicitAny: route() has tied these to the schemas above
  readonly handle: (request: RouteRequest<any, any, any, any>) => Promise<unknown>
}

/**
 * One endpoint with its code. `permission` is required: a route without one does not compile. What comes in is parsed by
 * the schemas before `handle`, what goes out after it, so nothing undeclared leaves.
 *
 *     export const runRoutes = (runs: RunsService): Route[] => [
 *       route({ ...showRun, permission: 'runs:read', handle: ({ params, principal }) => runs.show(principal.tenant, params.id) }),
 *     ]
 *
 * The handler's promise settles before the first byte: an error it throws becomes a problem document, also for streams.
 */
export function route<
  const Who extends Permission,
  P extends z.ZodType = NoSchema,
  Q extends z.ZodType = NoSchema,
  B extends z.ZodType = NoSchema,
  O extends z.ZodType = NoSchema,
  R extends ReplyKind = 'json',
>(
  definition: Endpoint<P, Q, B, O, R> & {
    readonly permission: Who
    readonly handle: (
      request: RouteRequest<Parsed<P>, Parsed<Q>, Parsed<B>, Who extends 'public' ? Principal | null : Principal>,
    ) => Promise<ReplyOf<R, O>> | ReplyOf<R, O>
  },
): Route {
  return Object.freeze({
    method: definition.method,
    path: definition.path,
    summary: definition.summary ?? null,
    permission: definition.permission,
    reply: definition.reply ?? 'json',
    status: definition.status ?? 200,
    params: definition.params ?? null,
    query: definition.query ?? null,
    body: definition.body ?? null,
    output: definition.output ?? null,
    handle: async (request) => definition.handle(request),
  } satisfies Route)
}
