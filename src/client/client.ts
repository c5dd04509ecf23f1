import type { z } from 'zod'
import type { Endpoint, ServerEvent } from '../foundation/platform/http/endpoint-contract.ts'
import { type CallArgs, type Connection, callJson, type Fetch, send } from './call.ts'
import type { RetryPolicy } from './retry.ts'
import { callEvents, callLines, type EventStreamOptions } from './streams.ts'

export interface ClientOptions {
  /** Origin of the server. */
  readonly url: string
  /** Bearer token, or what gives the present one; left out for what is public. */
  readonly token?: string | (() => string)
  readonly fetch?: Fetch
  /** The tenant to act for; only for keys above tenants. */
  readonly tenant?: string
  /** Repeats calls that may pass another time. Default: a call is one request. */
  readonly retry?: RetryPolicy
}

export interface Content {
  readonly mediaType: string
  readonly body: ReadableStream<Uint8Array>
}

/** Calls endpoints by their contracts: `await client.call(showRun, { params: { id } })`. All failures are AppErrors. */
export interface Client {
  readonly url: string
  call<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, O extends z.ZodType>(
    target: Endpoint<P, Q, B, O, 'json'>,
    ...args: Args<P, Q, B>
  ): Promise<z.output<O>>
  lines<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, O extends z.ZodType>(
    target: Endpoint<P, Q, B, O, 'lines'>,
    args: CallArgs<P, Q, B>,
  ): AsyncGenerator<z.output<O>, void>
  events<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, O extends z.ZodType>(
    target: Endpoint<P, Q, B, O, 'events'>,
    args: CallArgs<P, Q, B>,
    options?: EventStreamOptions,
  ): AsyncGenerator<ServerEvent<z.output<O>>, void>
  bytes<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, O extends z.ZodType>(
    target: Endpoint<P, Q, B, O, 'bytes'>,
    args: CallArgs<P, Q, B>,
  ): Promise<Content>
}

type Args<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> =
  Record<string, never> extends CallArgs<P, Q, B> ? [args?: CallArgs<P, Q, B>] : [args: CallArgs<P, Q, B>]

export function createClient(options: ClientOptions): Client {
  const { token } = options
  const connection: Connection = {
    url: options.url.replace(/\/+$/, ''),
    token: typeof token === 'function' ? token : () => token ?? null,
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    headers: options.tenant === undefined ? {} : { 'leanvibe-tenant': options.tenant },
    retry: options.retry ?? null,
  }
  return {
    url: connection.url,
    call: (target, ...args) => callJson(connection, target, args[0] ?? {}),
    lines: (target, args) => callLines(connection, target, args),
    events: (target, args, streamOptions) => callEvents(connection, target, args, streamOptions),
    async bytes(target, args) {
      const response = await send(connection, target, args)
      return {
        mediaType: response.headers.get('content-type') ?? 'application/octet-stream',
        body: response.body ?? new Blob([]).stream(),
      }
    },
  }
}
