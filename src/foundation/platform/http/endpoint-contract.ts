import { z } from 'zod'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/**
 * How an endpoint answers. `json`: one document. `lines`: NDJSON, one document a line. `events`: server-sent events that
 * can be resumed. `bytes`: content of any media type, as an attachment. `page`: a document for browsers that we wrote.
 * `socket`: the connection is upgraded, for example to a WebSocket. `relay`: what another server answered, as it is.
 */
export type ReplyKind = 'json' | 'lines' | 'events' | 'bytes' | 'page' | 'socket' | 'relay'

/** Stands for "this endpoint takes none"; chosen by the compiler when a schema is left out. */
export type NoSchema = z.ZodNever

/**
 * What caches may do with the answer of a GET. `none` (the default): keep nothing. `revalidate`: keep it, but ask with
 * its ETag before each use. A number: seconds for which anybody may reuse it; only for what is the same for everybody.
 */
export type CacheRule = 'none' | 'revalidate' | number

/** When a version of the API goes. */
export interface Deprecation {
  /** Since when newer ways are to be preferred, as an ISO date. */
  readonly since: string
  /** After this date it may be gone. */
  readonly sunset?: string
  /** Where the successor is described. */
  readonly link?: string
}

/**
 * The shape of one HTTP endpoint, shared by the route that answers it and the client that calls it. It holds no code, so
 * it may live in a `-contract` file. Path parameters are written `:name` and described by `params`.
 */
export interface Endpoint<
  P extends z.ZodType = NoSchema,
  Q extends z.ZodType = NoSchema,
  B extends z.ZodType = NoSchema,
  O extends z.ZodType = NoSchema,
  R extends ReplyKind = 'json',
> {
  readonly method: Method
  readonly path: `/${string}`
  /** One sentence for the API document. */
  readonly summary?: string
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  /**
   * What it does not know of a body is passed over: for programs of another version, such as runners. Default: refused, so
   * that a misspelt field is not taken for one that was left out.
   */
  readonly openBody?: boolean
  /** The document, the line or the event's data; left out for `bytes`. */
  readonly output?: O
  /** Default `json`. */
  readonly reply?: R
  /** Status of a success. Default 200. */
  readonly status?: 200 | 201 | 202
  /**
   * The field of the answer that counts its changes. It becomes the ETag; a GET is answered 304 where the client has it,
   * and a write gets what the client expects as `ifMatch`.
   */
  readonly revision?: string
  /** Largest body in bytes. Default: that of the server, 8 MiB. */
  readonly bodyLimit?: number
  /** Default `none`. */
  readonly cache?: CacheRule
  /** The answer holds a secret: it is neither compressed nor kept for a repeat with the same Idempotency-Key. */
  readonly secret?: boolean
  /** A rate limit of its own, by the name it has in `rateLimits` of the configuration, beside those of every route. */
  readonly limit?: string
  readonly deprecated?: Deprecation
}

/** Declares an endpoint in a contract: `export const showRun = endpoint({ method: 'GET', path: '/api/v1/runs/:id', ... })`. */
export function endpoint<
  P extends z.ZodType = NoSchema,
  Q extends z.ZodType = NoSchema,
  B extends z.ZodType = NoSchema,
  O extends z.ZodType = NoSchema,
  R extends ReplyKind = 'json',
>(definition: Endpoint<P, Q, B, O, R>): Endpoint<P, Q, B, O, R> {
  const { body, openBody = false } = definition
  const isLoose = body instanceof z.ZodObject && body.def.catchall === undefined
  return Object.freeze(
    isLoose && !openBody ? { ...definition, body: body.strict() as z.ZodType as B } : { ...definition },
  )
}

/** One server-sent event. `id` is what a client sends back as `Last-Event-ID` to resume after it. */
export interface ServerEvent<Data> {
  readonly id?: string
  readonly event?: string
  readonly data: Data
}

/** RFC 9457 problem document, the body of every failure. */
export interface Problem {
  /** `urn:leanvibe:error:<code>`. */
  readonly type: string
  readonly title: string
  readonly status: number
  /** Left out of 5xx answers: what went wrong inside is for the log. */
  readonly detail?: string
  readonly code: string
  readonly kind: string
  readonly retry: 'never' | 'later' | 'now'
  readonly next: string
  readonly requestId: string
  /** Facts a program may use, for example `issues` of an invalid body. Never in a 5xx answer. */
  readonly details?: Readonly<Record<string, unknown>>
}
