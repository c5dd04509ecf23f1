import type { Agent, fetch as undiciFetch } from 'undici'
import { isAppError, messageOf } from '../../kernel/errors.ts'
import type { AddressGuard } from './address-guard.ts'

export interface GuardedFetchOptions {
  readonly guard: AddressGuard
  /** The host cannot be reached, or the connection broke in the middle of an answer. */
  readonly unreachable: (why: string) => Error
  /** The answer is longer than it may be. */
  readonly tooLong: (why: string) => Error
  /** Bytes of one answer. Default 16 MiB. */
  readonly maxBytes?: number
  /** Bytes of one answer that is a stream of events. Default 256 MiB. */
  readonly maxStreamBytes?: number
  /** From the request to the first byte of the answer, ms. Default 30,000. */
  readonly firstByteMs?: number
}

export interface GuardedFetch {
  /** As the global `fetch`: guarded addresses, no redirects followed, bounded answers. */
  readonly fetch: typeof globalThis.fetch
  /** Cuts what is open. */
  close(): Promise<void>
}

/** Speaks to addresses which others chose. What fails is one of the errors of the options, or a refusal of the guard. */
export function createGuardedFetch(options: GuardedFetchOptions): GuardedFetch {
  const { guard, maxBytes = 16 * 1_048_576, maxStreamBytes = 256 * 1_048_576, firstByteMs = 30_000 } = options
  let opening: Promise<{ readonly agent: Agent; readonly fetch: typeof undiciFetch }> | null = null
  let closed = false

  // It takes a quarter of a second to load: only where somebody is spoken to.
  async function open() {
    const undici = await import('undici')
    const agent = new undici.Agent({
      connect: { lookup: guard.lookup, timeout: Math.min(firstByteMs, 10_000) },
      headersTimeout: firstByteMs,
      // A stream of events may pause for as long as it likes: who reads it watches that.
      bodyTimeout: 0,
      maxHeaderSize: 65_536,
      connections: 16,
      pipelining: 1,
    })
    if (closed) await agent.destroy()
    return { agent, fetch: undici.fetch }
  }

  const explain = (error: unknown, signal: AbortSignal | null | undefined): unknown => {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) if (isAppError(cause)) return cause
    if (signal?.aborted) return error
    const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error
    return options.unreachable(messageOf(inner))
  }
  const guardedFetch: typeof globalThis.fetch = async (input, init) => {
    const url = guard.checkUrl(input instanceof Request ? input.url : String(input))
    opening ??= open()
    const { agent, fetch } = await opening
    const request = { ...init, redirect: 'manual', dispatcher: agent } as Parameters<typeof undiciFetch>[1]
    let answer: Awaited<ReturnType<typeof undiciFetch>>
    try {
      answer = await fetch(url, request)
    } catch (error) {
      throw explain(error, init?.signal)
    }
    const { status, statusText } = answer
    const headers = new Headers([...answer.headers])
    const isStream = headers.get('content-type')?.startsWith('text/event-stream') === true
    const most = isStream ? maxStreamBytes : maxBytes
    const bare = answer.body === null || status === 204 || status === 304
    const body = bare ? null : bounded(answer.body as ReadableStream<Uint8Array>)
    return new Response(body, { status, statusText, headers })

    function bounded(from: ReadableStream<Uint8Array>): ReadableStream<Uint8Array<ArrayBuffer>> {
      const reader = from.getReader()
      let bytes = 0
      return new ReadableStream({
        async pull(controller) {
          try {
            const { done, value } = await reader.read()
            if (done) return controller.close()
            bytes += value.byteLength
            if (bytes > most) throw options.tooLong(`the answer of ${url.host} is longer than ${most} bytes`)
            controller.enqueue(value as Uint8Array<ArrayBuffer>)
          } catch (error) {
            controller.error(explain(error, init?.signal))
            reader.cancel(error).catch(() => {})
          }
        },
        cancel: (reason) => reader.cancel(reason),
      })
    }
  }
  return {
    fetch: guardedFetch,
    async close() {
      closed = true
      await (await opening)?.agent.destroy()
    },
  }
}
