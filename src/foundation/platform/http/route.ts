import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { z } from 'zod'
import type { AppError } from '../../kernel/errors.ts'
import type { CacheRule, Deprecation, Endpoint, NoSchema, ReplyKind, ServerEvent } from './endpoint-contract.ts'
import type { EncodedEvents } from './event-stream.ts'
import type { LimitState } from './front-door.ts'
import type { ExpectedRevision } from './preconditions.ts'
import type { Permission, Principal } from './principal.ts'
import type { TraceContext } from './trace-context.ts'

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

/** A document of ours that a browser shows, under a content security policy. Never for what agents wrote. */
export interface PageReply {
  readonly mediaType: string
  readonly body: string | Uint8Array
  /** Default: nothing but styles from our own origin. */
  readonly policy?: string
}

/**
 * The answer of another server, or one in its form. A body that comes in pieces is sent piece by piece, no faster than the
 * client reads; it is closed where the client goes away, and what it throws cuts the connection.
 */
export interface RelayReply {
  readonly status: number
  /** Lower-case names; nothing of hop-by-hop meaning. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: AsyncIterable<Uint8Array | string> | Uint8Array | string
  /**
   * Why the answer must not be kept for a repeat with the same Idempotency-Key: such a repeat is told so, with 409. Without
   * it a whole answer is kept; one that comes in pieces never is.
   */
  readonly unkept?: string
}

/** How a failure is told to callers who expect another form than a problem document. */
export type FailureForm = (
  error: AppError,
  status: number,
  requestId: string,
) => {
  readonly mediaType: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A connection that a `socket` route takes over. */
export interface Upgrade {
  readonly request: IncomingMessage
  readonly socket: Duplex
  /** The first bytes of the upgraded stream, if some came with the request. */
  readonly head: Buffer
}

export type ReplyOf<R extends ReplyKind, O extends z.ZodType> = {
  json: Answer<O>
  lines: AsyncIterable<Answer<O> | EncodedEvents>
  events: AsyncIterable<ServerEvent<Answer<O>> | EncodedEvents>
  bytes: ByteReply
  page: PageReply
  relay: RelayReply
  // biome-ignore lint/suspicious/noConfusingVoidType: a socket route answers on its socket
  socket: undefined | void
}[R]

export interface RouteRequest<P, Q, B, Who> {
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly principal: Who
  /** Aborted when the client goes away and, for streams, when the server drains or the key was revoked. */
  readonly signal: AbortSignal
  readonly requestId: string
  /** The `Last-Event-ID` a reconnecting event client sent, else null. */
  readonly lastEventId: string | null
  /** What the client saw last, from `If-Match`; give it to `checkRevision` with the present revision. */
  readonly ifMatch: ExpectedRevision
  /** The key under which a write may come again, else null. */
  readonly idempotencyKey: string | null
  /** Says, on routes that act `outside`, that it cannot be taken back: a repeat does not do it again, whatever comes of this. */
  readonly tookEffect: () => void
  /** Tells the client of a limit that the route itself counts against. */
  readonly tellLimit: (state: LimitState) => void
  readonly trace: TraceContext
  /** The address of the client, or of what stands before a trusted proxy. */
  readonly ip: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The body as it came, on routes with `rawBody`. */
  readonly rawBody: Buffer | null
  /** On `socket` routes: the connection to take over. */
  readonly upgrade: Upgrade | null
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
  readonly revision: string | null
  readonly bodyLimit: number | null
  readonly cache: CacheRule
  readonly secret: boolean
  readonly limit: string | null
  readonly deprecated: Deprecation | null
  readonly rawBody: boolean
  readonly outside: boolean
  readonly failure: FailureForm | null
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
    /** Takes a body of any media type and leaves it as it came, for signatures; there can be no `body` schema. */
    readonly rawBody?: boolean
    /** It acts outside the database: with an Idempotency-Key, it is not done again once it was begun, see `tookEffect`. */
    readonly outside?: boolean
    /** Default: a problem document. */
    readonly failure?: FailureForm
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
    revision: definition.revision ?? null,
    bodyLimit: definition.bodyLimit ?? null,
    cache: definition.cache ?? 'none',
    secret: definition.secret ?? false,
    limit: definition.limit ?? null,
    deprecated: definition.deprecated ?? null,
    rawBody: definition.rawBody ?? false,
    outside: definition.outside ?? false,
    failure: definition.failure ?? null,
    handle: async (request) => definition.handle(request),
  } satisfies Route)
}
