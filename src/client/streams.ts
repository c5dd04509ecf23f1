import { EventSourceParserStream } from 'eventsource-parser/stream'
import type { z } from 'zod'
import { AppError } from '../foundation/kernel/errors.ts'
import type { Problem, ServerEvent } from '../foundation/platform/http/endpoint-contract.ts'
import { type AnyEndpoint, type Connection, errorOfProblem, parseAnswer, send } from './call.ts'
import { clientErrors } from './client-errors.ts'

/** Yields the documents of an NDJSON answer as they arrive. A failure on the server after the first one is thrown. */
export async function* callLines<O extends z.ZodType>(
  connection: Connection,
  target: AnyEndpoint & { readonly output?: O },
  args: object,
): AsyncGenerator<z.output<O>, void> {
  const response = await send(connection, target, args, { accept: 'application/x-ndjson' })
  if (response.body === null) return
  let rest = ''
  for await (const text of chunksOf(response.body, args)) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield lineOf(target.output as O, line)
  }
  if (rest !== '') throw clientErrors['stream-cut']('the last line is not whole')
}

function lineOf<O extends z.ZodType>(schema: O, line: string): z.output<O> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw clientErrors['answer-malformed']('a line of the answer is not JSON', { cause })
  }
  if (typeof value === 'object' && value !== null && 'problem' in value) throw errorOfProblem(value.problem as Problem)
  return parseAnswer(schema, value)
}

export interface EventStreamOptions {
  /** The cursor of the last event seen before, to go on behind it. */
  readonly after?: string
  /** Called each time a connection stands, so that the caller may fetch the state the events change. */
  readonly onOpen?: () => void
  /** Pause before the n-th attempt in a row to connect again, in ms; null gives up. Default: 100 ms doubling to 5 s, 30 times. */
  readonly backoff?: (attempt: number) => number | null
}

const defaultBackoff = (attempt: number) => (attempt > 30 ? null : Math.min(5_000, 100 * 2 ** (attempt - 1)))

/**
 * Yields events; after a break it connects again and resumes behind the last one, so none is missed or doubled. Ends
 * when `args.signal` aborts. Refusals (a bad cursor, a missing permission) are thrown and not repeated.
 */
export async function* callEvents<O extends z.ZodType>(
  connection: Connection,
  target: AnyEndpoint & { readonly output?: O },
  args: { readonly signal?: AbortSignal },
  options: EventStreamOptions = {},
): AsyncGenerator<ServerEvent<z.output<O>>, void> {
  const { backoff = defaultBackoff } = options
  const signal = args.signal ?? new AbortController().signal
  let lastId: string | null = options.after ?? null
  let attempt = 0
  while (!signal.aborted) {
    try {
      const resume: Record<string, string> = lastId === null ? {} : { 'last-event-id': lastId }
      const response = await send(connection, target, args, { accept: 'text/event-stream', ...resume })
      options.onOpen?.()
      for await (const message of messagesOf(response, args)) {
        attempt = 0
        if (message.event === 'problem') throw errorOfProblem(JSON.parse(message.data) as Problem)
        if (message.id !== undefined) lastId = message.id
        yield {
          ...(message.id === undefined ? {} : { id: message.id }),
          ...(message.event === undefined ? {} : { event: message.event }),
          data: parseAnswer(target.output as O, JSON.parse(message.data)),
        }
      }
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof AppError) || !['unavailable', 'limit'].includes(error.kind)) throw error
      if (backoff(attempt + 1) === null) throw error
    }
    attempt += 1
    await pause(backoff(attempt) ?? 5_000, signal)
  }
}

async function* messagesOf(response: Response, args: object) {
  if (response.body === null) return
  const source = ReadableStream.from(chunksOf(response.body, args)) as ReadableStream<string>
  const messages = source.pipeThrough(new EventSourceParserStream({ maxBufferSize: 16 * 1_048_576 }))
  for await (const message of messages) yield message
}

/** Text of the answer as it arrives; a broken connection is `stream-cut`, an abort by the caller just the end. */
async function* chunksOf(
  body: ReadableStream<Uint8Array>,
  args: { readonly signal?: AbortSignal },
): AsyncGenerator<string, void> {
  const decoder = new TextDecoder()
  try {
    for await (const chunk of body) yield decoder.decode(chunk, { stream: true })
  } catch (cause) {
    if (args.signal?.aborted) return
    throw clientErrors['stream-cut']('the connection broke within the answer', { cause })
  }
}

export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
