import type { IncomingHttpHeaders } from 'node:http'

/** The protocols that the server speaks. */
export type WireForm = 'chat' | 'responses' | 'embeddings' | 'messages' | 'count' | 'gemini' | 'models'

/** A request as the server saw it. */
export interface SeenRequest {
  /** From 1, in the order of arrival. */
  readonly n: number
  readonly wire: WireForm
  readonly path: string
  readonly headers: IncomingHttpHeaders
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever was sent
  readonly body: any
  readonly model: string
  readonly stream: boolean
  /** Every text in the request that a model would read, in order. */
  readonly texts: readonly string[]
  /** The last of them. */
  readonly said: string
  /** The names of the tools on offer. */
  readonly tools: readonly string[]
  /** The output limit that it names. */
  readonly limit: number | null
  /** The key that was shown, in whatever header. */
  readonly key: string | null
  /** Resolves when the connection is cut before the answer is complete. */
  readonly cut: Promise<void>
}

export interface ScriptedTool {
  readonly name: string
  readonly input: object
  /** Default: made from the number of the request. */
  readonly id?: string
}

export interface ScriptedUsage {
  /** Without what came from a cache. Default: a token for each 4 bytes of the texts. */
  readonly input?: number
  /** Default: a token for each word, and 10 for each call of a tool. */
  readonly output?: number
  readonly cacheRead?: number
  readonly cacheWrite?: number
  /** What of `cacheWrite` is kept for an hour. */
  readonly longCacheWrite?: number
}

/** What the server answers. Nothing said: `ok`. */
export interface Reply {
  readonly text?: string
  readonly tools?: readonly ScriptedTool[]
  /** Null: the answer tells no count. */
  readonly usage?: ScriptedUsage | null
  /** An error of the dialect. */
  readonly status?: number
  readonly message?: string
  /** Sent as well; with 429 for example `retry-after`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Until the first byte, ms. Default 0. */
  readonly delayMs?: number
  /** Between the pieces of a stream, ms. Default 0. */
  readonly everyMs?: number
  /** The connection breaks after so many pieces of a stream; 0: before the first. Not streamed: in the middle of the body. */
  readonly dieAfter?: number
  /** Nothing is ever answered. */
  readonly hang?: boolean
  /** Waits before each piece of a stream. */
  readonly gate?: () => Promise<void>
  /** An error event in the middle of a stream, after so many pieces. */
  readonly failAfter?: number
  /** `@now` in a piece of a stream becomes the monotonic clock of the machine, ns, when it is written. */
  readonly stamps?: boolean
  /** Output limits are ignored. */
  readonly excessive?: boolean
}

export interface Rule {
  /** Which requests it is for. Default: all. */
  readonly when?: (request: SeenRequest) => boolean
  /** For so many requests. Default: for all. */
  readonly times?: number
  readonly reply: Reply | ((request: SeenRequest) => Reply | Promise<Reply>)
}

/** What an answer holds once the output limit has been kept. */
export interface Composed {
  readonly words: readonly string[]
  readonly tools: readonly Required<ScriptedTool>[]
  readonly usage: Required<ScriptedUsage> | null
  /** The limit has cut it. */
  readonly short: boolean
}

/** A token is a word here: the limit of a request is kept as the real ones keep theirs. */
export function compose(request: SeenRequest, reply: Reply): Composed {
  const all = (reply.text ?? (reply.tools === undefined ? 'ok' : '')).split(/(?<=\s)/).filter((word) => word !== '')
  const limit = reply.excessive === true || request.limit === null ? Number.POSITIVE_INFINITY : request.limit
  const short = all.length > limit
  const words = short ? all.slice(0, limit) : all
  const tools = short
    ? []
    : (reply.tools ?? []).map((tool, n) => ({ ...tool, id: tool.id ?? `call_${request.n}_${n}` }))
  const bytes = request.texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  const choices = typeof request.body?.n === 'number' ? request.body.n : 1
  const usual = {
    input: Math.ceil(bytes / 4),
    output: Math.min(limit, words.length + tools.length * 10) * choices,
    ...{ cacheRead: 0, cacheWrite: 0, longCacheWrite: 0 },
  }
  return { words, tools, short, usage: reply.usage === null ? null : { ...usual, ...reply.usage } }
}
