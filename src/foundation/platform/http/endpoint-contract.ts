import type { z } from 'zod'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/**
 * How an endpoint answers. `json`: one document. `lines`: NDJSON, one document a line. `events`: server-sent events that
 * can be resumed. `bytes`: content of any media type.
 */
export type ReplyKind = 'json' | 'lines' | 'events' | 'bytes'

/** Stands for "this endpoint takes none"; chosen by the compiler when a schema is left out. */
export type NoSchema = z.ZodNever

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
  /** The document, the line or the event's data; left out for `bytes`. */
  readonly output?: O
  /** Default `json`. */
  readonly reply?: R
  /** Status of a success. Default 200. */
  readonly status?: 200 | 201 | 202
}

/** Declares an endpoint in a contract: `export const showRun = endpoint({ method: 'GET', path: '/api/v1/runs/:id', ... })`. */
export function endpoint<
  P extends z.ZodType = NoSchema,
  Q extends z.ZodType = NoSchema,
  B extends z.ZodType = NoSchema,
  O extends z.ZodType = NoSchema,
  R extends ReplyKind = 'json',
>(definition: Endpoint<P, Q, B, O, R>): Endpoint<P, Q, B, O, R> {
  return Object.freeze({ ...definition })
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
