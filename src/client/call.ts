import type { z } from 'zod'
import { AppError, type ErrorKind, httpStatusOf } from '../foundation/kernel/errors.ts'
import { parseWith } from '../foundation/kernel/schema.ts'
import type { Endpoint, NoSchema, Problem } from '../foundation/platform/http/endpoint-contract.ts'
import { clientErrors } from './client-errors.ts'
import type { RetryPolicy } from './retry.ts'

export type Fetch = (input: string, init: RequestInit) => Promise<Response>

export interface Connection {
  /** Origin, for example `http://127.0.0.1:4310`. */
  readonly url: string
  /** Asked for each request, since a stream connects again for as long as it lives. */
  readonly token: () => string | null
  readonly fetch: Fetch
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
  /** Repeats calls that may pass another time; null: a call is one request. */
  readonly retry?: RetryPolicy | null
}

type Key<Name extends string, S extends z.ZodType> = [S] extends [NoSchema]
  ? unknown
  : Record<string, never> extends z.input<S>
    ? { readonly [K in Name]?: z.input<S> }
    : { readonly [K in Name]: z.input<S> }

/** What a call of an endpoint must bring: a part is required when its schema asks for anything. */
export type CallArgs<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> = Key<'params', P> &
  Key<'query', Q> &
  Key<'body', B> & {
    readonly signal?: AbortSignal
    /** The ETag that was seen last: the write is refused with `precondition-failed` where there is a newer one. */
    readonly ifMatch?: string
  }

// biome-ignore lint/suspicious/noExplicitAny: any endpoint will do here; the callers' types come from CallArgs
export type AnyEndpoint = Endpoint<any, any, any, any, any>

interface LooseArgs {
  readonly params?: Readonly<Record<string, unknown>>
  readonly query?: Readonly<Record<string, unknown>>
  readonly body?: unknown
  readonly signal?: AbortSignal
  readonly ifMatch?: string
}

/** Sends a request and returns the answer's head; a problem document is thrown as the AppError it describes. */
export async function send(
  connection: Connection,
  target: AnyEndpoint,
  args: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const { params, query, body, signal, ifMatch } = args as LooseArgs
  const token = connection.token()
  const init: RequestInit = {
    method: target.method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(target.method === 'GET' ? {} : { 'content-type': 'application/json' }),
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      ...connection.headers,
      ...headers,
    },
    redirect: 'error',
    ...(target.method === 'GET' ? {} : { body: JSON.stringify(body ?? {}) }),
    ...(signal === undefined ? {} : { signal }),
  }
  let response: Response
  try {
    response = await connection.fetch(connection.url + pathOf(target.path, params) + queryOf(query), init)
  } catch (cause) {
    signal?.throwIfAborted()
    throw clientErrors['server-unreachable'](`no answer from ${connection.url}`, { cause })
  }
  if (!response.ok) throw await failureOf(response)
  return response
}

/** Calls a `json` endpoint and parses the answer by its contract. */
export async function callJson<O extends z.ZodType>(
  connection: Connection,
  target: AnyEndpoint & { readonly output?: O },
  args: object,
): Promise<z.output<O>> {
  const { retry } = connection
  // One key for all attempts: the server does the write once, however often it hears of it.
  const key: Record<string, string> = retry && target.method !== 'GET' ? { 'idempotency-key': retry.newKey() } : {}
  const once = async () => {
    const response = await send(connection, target, args, { accept: 'application/json', ...key })
    return target.output === undefined ? undefined : parseAnswer(target.output, await readBody(response))
  }
  return (await (retry ? retry.execute(once, (args as LooseArgs).signal) : once())) as z.output<O>
}

async function readBody(response: Response): Promise<unknown> {
  let text: string
  try {
    text = await response.text()
  } catch (cause) {
    throw clientErrors['stream-cut']('the connection broke within the answer', { cause })
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw clientErrors['answer-malformed']('the answer is not JSON', { cause })
  }
}

export function parseAnswer<O extends z.ZodType>(schema: O, value: unknown): z.output<O> {
  try {
    return parseWith(schema, value, 'answer') as z.output<O>
  } catch (cause) {
    throw clientErrors['answer-malformed'](cause instanceof Error ? cause.message : 'the answer has another shape', {
      cause,
    })
  }
}

/** The AppError a problem document stands for, with the server's code, kind and advice. */
export function errorOfProblem(problem: Problem): AppError {
  const kind = problem.kind in httpStatusOf ? (problem.kind as ErrorKind) : 'internal'
  const message = problem.detail ?? problem.title
  return new AppError(
    problem.code,
    { kind, retry: problem.retry, when: problem.title, next: problem.next },
    problem.status >= 500 ? `${message} (request ${problem.requestId})` : message,
    { details: problem.details ?? {} },
  )
}

async function failureOf(response: Response): Promise<AppError> {
  const text = await response.text().catch(() => '')
  try {
    const problem = JSON.parse(text) as Problem
    if (typeof problem.code === 'string' && typeof problem.status === 'number') return errorOfProblem(problem)
  } catch {
    // Not JSON: whatever answered is not our server; the status is all there is to say.
  }
  return clientErrors['answer-malformed'](`status ${response.status} without a problem document`)
}

function pathOf(path: string, params: Readonly<Record<string, unknown>> = {}): string {
  return path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(params[name])))
}

function queryOf(query: Readonly<Record<string, unknown>> = {}): string {
  const entries = Object.entries(query).filter(([, value]) => value !== undefined && value !== null)
  if (entries.length === 0) return ''
  return `?${new URLSearchParams(entries.map(([name, value]): [string, string] => [name, String(value)]))}`
}
