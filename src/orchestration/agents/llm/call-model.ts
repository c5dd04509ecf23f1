import { createParser } from 'eventsource-parser'
import { type AppError, isAppError, messageOf } from '../../../foundation/kernel/errors.ts'
import { pause } from '../sessions/pause.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import type { ModelAnswer, ModelRequest } from './conversation.ts'
import type { LlmWire } from './wires/llm-wire.ts'

export interface CallModelOptions {
  readonly wire: LlmWire
  /** Of the gateway. */
  readonly url: string
  readonly key: string
  /** Default: that of Node. */
  readonly fetch?: typeof fetch
  /** From one try to the next, doubled each time; what the gateway says goes before it. Default 1,000. */
  readonly waitMs?: number
  readonly signal: AbortSignal
  /** Words as they come, before anybody knows whether the answer will be whole. */
  onWords(words: string): void | Promise<void>
  /** Told of each sign of the model. */
  onBytes(): void
  /** Told why it is asked again. */
  onRetry(why: string): void | Promise<void>
}

const mostTries = 5
const longestWaitMs = 60_000
const mostAnswerBytes = 32 * 1_048_576

/**
 * Asks the model once. What may pass is tried again, an answer that broke off included: nothing was done by it yet.
 * @throws agent-unreachable, agent-protocol, agent-failed, agent-auth, agent-limit
 */
export async function callModel(request: ModelRequest, options: CallModelOptions): Promise<ModelAnswer> {
  const { signal, waitMs = 1_000, onRetry } = options
  for (let tries = 1; ; tries++) {
    const result = await tryOnce(request, options)
    if ('stop' in result) return result
    if (!result.again || tries >= mostTries) throw result.error
    const wait = Math.min(result.waitMs ?? waitMs * 2 ** (tries - 1), longestWaitMs)
    await onRetry(`asks the model again in ${Math.ceil(wait / 1_000)} s: ${result.error.message}`)
    await pause(wait, signal)
  }
}

interface Failed {
  readonly error: AppError
  readonly again: boolean
  readonly waitMs?: number
}

async function tryOnce(request: ModelRequest, options: CallModelOptions): Promise<ModelAnswer | Failed> {
  const { wire, url, key, signal } = options
  const ask = options.fetch ?? fetch
  let response: Response
  try {
    response = await ask(`${url}${wire.path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...wire.headers(key) },
      body: JSON.stringify(wire.body(request)),
      ...{ signal, redirect: 'error' },
    })
  } catch (error) {
    signal.throwIfAborted()
    return { error: sessionErrors['agent-unreachable'](`the model gateway: ${causeOf(error)}`), again: true }
  }
  options.onBytes()
  if (!response.ok || response.body === null) return refusal(response)
  const reader = wire.read()
  let words: string[] = []
  let problem: unknown
  const parser = createParser({
    onEvent: (event) => {
      if (problem !== undefined) return
      try {
        words.push(reader.take(event))
      } catch (error) {
        problem = error
      }
    },
  })
  const decoder = new TextDecoder()
  let bytes = 0
  try {
    for await (const chunk of response.body) {
      options.onBytes()
      bytes += chunk.byteLength
      if (bytes > mostAnswerBytes) throw sessionErrors['agent-protocol']('the answer of the model does not end')
      parser.feed(decoder.decode(chunk, { stream: true }))
      const heard = words.join('')
      words = []
      if (heard !== '') await options.onWords(heard)
      if (problem !== undefined) throw problem
    }
    return reader.end()
  } catch (error) {
    signal.throwIfAborted()
    if (isAppError(error)) return { error, again: true }
    return {
      error: sessionErrors['agent-unreachable'](`the answer of the model broke off: ${causeOf(error)}`),
      again: true,
    }
  }
}

/** What the gateway does not want, in its own words. */
async function refusal(response: Response): Promise<Failed> {
  const { status, headers } = response
  const text = await response.text().catch(() => '')
  const { code, message } = errorOf(text)
  const told = `${code === null ? `status ${status}` : code}: ${message}`.slice(0, 2_000)
  const may = headers.get('x-should-retry') !== 'false' && (status === 408 || status === 429 || status >= 500)
  const seconds = Number(headers.get('retry-after') ?? Number.NaN)
  const wait = Number.isFinite(seconds) && seconds >= 0 ? { waitMs: seconds * 1_000 } : {}
  return { error: failureOf(status, code, told), again: may, ...wait }
}

function failureOf(status: number, code: string | null, told: string): AppError {
  if (status === 401) return sessionErrors['agent-auth'](`the model gateway does not know the key: ${told}`)
  if (code === 'budget-refused' || status === 402 || status === 429) return sessionErrors['agent-limit'](told)
  if (status >= 500) return sessionErrors['agent-unreachable'](told)
  return sessionErrors['agent-refused'](told)
}

function errorOf(text: string): { readonly code: string | null; readonly message: string } {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown } }
    const code = typeof error?.code === 'string' ? error.code : null
    return { code, message: typeof error?.message === 'string' ? error.message : text }
  } catch {
    return { code: null, message: text }
  }
}

/** fetch hides what went wrong one level down. */
function causeOf(error: unknown): string {
  const { cause } = error as { cause?: unknown }
  return messageOf(cause ?? error)
}
