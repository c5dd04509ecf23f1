import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { countWriter, messagesWriter } from './anthropic-writers.ts'
import { geminiWriter } from './gemini-writer.ts'
import { chatWriter, embeddingsWriter, responsesWriter } from './openai-writers.ts'
import { readRequest, wireOf } from './read-request.ts'
import { compose, type Reply, type Rule, type SeenRequest, type WireForm } from './script.ts'
import type { WireWriter } from './wire-writer.ts'

export interface ModelServerOptions {
  /** The first rule that fits a request says its answer; none: the text `ok`. */
  readonly script?: readonly Rule[]
  /** The only key that is accepted. Default: any, or none. */
  readonly key?: string
  /** Names that `GET /v1/models` lists. */
  readonly models?: readonly string[]
}

const writers: Readonly<Record<Exclude<WireForm, 'models'>, WireWriter>> = {
  ...{ chat: chatWriter, responses: responsesWriter, embeddings: embeddingsWriter },
  ...{ messages: messagesWriter, count: countWriter, gemini: geminiWriter },
}

/**
 * A provider of models that answers by a script: a real HTTP server that speaks the protocols of OpenAI, Anthropic and
 * Gemini, streamed and whole, with tools, errors, limits and counts as theirs. It thinks nothing of its own.
 */
export class ModelServer implements AsyncDisposable {
  /** Every request, in the order of arrival. */
  readonly seen: SeenRequest[] = []
  readonly #options: ModelServerOptions
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  #rules: { readonly rule: Rule; left: number }[] = []
  #arrived: (() => void)[] = []

  private constructor(options: ModelServerOptions) {
    this.#options = options
    this.script(options.script ?? [])
  }

  static async start(options: ModelServerOptions = {}): Promise<ModelServer> {
    const server = new ModelServer(options)
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Goes on by other rules. */
  script(rules: readonly Rule[]): void {
    this.#rules = rules.map((rule) => ({ rule, left: rule.times ?? Number.POSITIVE_INFINITY }))
  }

  /** Forgets what it has seen, and goes on by other rules. */
  reset(rules: readonly Rule[] = []): void {
    this.seen.length = 0
    this.script(rules)
  }

  /** Resolves when the nth request has arrived. */
  async arrived(n: number): Promise<SeenRequest> {
    while (this.seen.length < n) await new Promise<void>((resolve) => this.#arrived.push(resolve))
    return this.seen[n - 1]!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (incoming.url ?? '').split('?')[0]!
    const parts: Buffer[] = []
    for await (const part of incoming as AsyncIterable<Buffer>) parts.push(part)
    const wire = wireOf(incoming.method ?? '', path)
    if (wire === null) return void response.writeHead(404).end('{"error":{"message":"no such path"}}')
    const cut = new Promise<void>((resolve) => {
      response.once('close', () => {
        if (!response.writableFinished) resolve()
      })
    })
    const text = Buffer.concat(parts).toString('utf8')
    const request = readRequest({ n: this.seen.length + 1, wire, path, headers: incoming.headers, text }, cut)
    this.seen.push(request)
    for (const tell of this.#arrived.splice(0)) tell()
    if (wire === 'models') return sendJson(response, 200, { object: 'list', data: this.#names() })
    const writer = writers[wire]
    const { key } = this.#options
    if (key !== undefined && request.key !== key)
      return sendJson(response, 401, writer.failure(401, 'the key is wrong', {}))
    await perform(request, response, writer, await this.#replyTo(request))
  }

  async #replyTo(request: SeenRequest): Promise<Reply> {
    const found = this.#rules.find(({ rule, left }) => left > 0 && (rule.when === undefined || rule.when(request)))
    if (found === undefined) return {}
    found.left -= 1
    const { reply } = found.rule
    return typeof reply === 'function' ? reply(request) : reply
  }

  #names(): object[] {
    return (this.#options.models ?? []).map((id) => ({ id, object: 'model', created: 0, owned_by: 'scripted' }))
  }
}

async function perform(
  request: SeenRequest,
  response: ServerResponse,
  writer: WireWriter,
  reply: Reply,
): Promise<void> {
  if (reply.hang === true) return
  if (reply.delayMs !== undefined) await delay(reply.delayMs)
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value)
  const { status = 200 } = reply
  if (status >= 400)
    return sendJson(response, status, writer.failure(status, reply.message ?? 'scripted', reply.headers))
  const answer = compose(request, reply)
  if (request.stream) return stream(response, writer, reply, writer.pieces(request, answer))
  const body = JSON.stringify(writer.whole(request, answer))
  if (reply.dieAfter === undefined) return sendJson(response, status, body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.write(body.slice(0, body.length / 2), () => response.destroy())
}

async function stream(
  response: ServerResponse,
  writer: WireWriter,
  reply: Reply,
  pieces: readonly string[],
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
  response.flushHeaders()
  for (const [n, piece] of pieces.entries()) {
    // What was written arrives; then there is silence in the middle of the answer.
    if (n === reply.dieAfter) return void response.socket?.end()
    if (n === reply.failAfter) return void response.end(writer.failureEvent(reply.message ?? 'scripted'))
    if (n > 0 && reply.everyMs !== undefined) await delay(reply.everyMs)
    await reply.gate?.()
    if (response.destroyed) return
    const text = reply.stamps === true ? piece.replaceAll('@now', String(process.hrtime.bigint())) : piece
    if (!response.write(text)) await Promise.race([once(response, 'drain'), once(response, 'close')])
  }
  response.end()
}

function sendJson(response: ServerResponse, status: number, body: object | string): void {
  response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(typeof body === 'string' ? body : JSON.stringify(body))
}
