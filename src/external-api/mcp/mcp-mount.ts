import type { IncomingMessage, ServerResponse } from 'node:http'
import type { isLegacyRequest, McpHttpHandler, Server } from '@modelcontextprotocol/server'
import { type IdSource, systemIds } from '../../foundation/kernel/ids.ts'
import { httpErrors } from '../../foundation/platform/http/http-errors.ts'
import type { Mount, MountCall } from '../../foundation/platform/http/mount.ts'
import type { Route } from '../../foundation/platform/http/route.ts'
import { sendStream } from '../../foundation/platform/http/send-stream.ts'
import type { answerResumably } from './answer-resumably.ts'
import { ReplayStreams } from './replay-streams.ts'
import { createRouteCaller, indexRoutes } from './route-caller.ts'

export interface McpMountOptions {
  /** Those that the server answers; tools call them for whoever calls. */
  readonly routes: readonly Route[]
  readonly version: string
  readonly ids?: IdSource
  readonly onError: (error: unknown) => void
}

interface Loaded {
  readonly handler: McpHttpHandler
  readonly isLegacyRequest: typeof isLegacyRequest
  readonly answerResumably: typeof answerResumably
  /** The fleet, for one caller. */
  readonly serve: (call: MountCall, signal: AbortSignal) => Server
}

const prefix = '/mcp'
const mostBodyBytes = 4 * 1_048_576
const key = 'leanvibe'

/**
 * The fleet as an MCP server over Streamable HTTP. Every request is complete in itself, so that any replica answers it:
 * there are no sessions. The answer of a tool call can be taken up again by `Last-Event-ID` where the replica that gave it still
 * has it; elsewhere a client goes on by `run_events` behind the last cursor it saw.
 */
export function createMcpMount(options: McpMountOptions): Mount & { close(): Promise<void> } {
  const { routes, version, onError } = options
  const index = indexRoutes(routes)
  const replays = new ReplayStreams(options.ids ?? systemIds)
  let loading: Promise<Loaded> | null = null

  // The SDK takes a fifth of a second to load: only where somebody calls.
  async function load(): Promise<Loaded> {
    const [{ createMcpHandler, isLegacyRequest }, { createFleetServer }, { answerResumably }] = await Promise.all([
      import('@modelcontextprotocol/server'),
      import('./fleet-server.ts'),
      import('./answer-resumably.ts'),
    ])
    const serve = ({ principal, requestId, trace, ip }: MountCall, signal: AbortSignal) => {
      const api = createRouteCaller(index, { principal, requestId, trace, ip, signal })
      return createFleetServer({ api, version, onError })
    }
    const handler = createMcpHandler(
      ({ authInfo }) => {
        const { call, signal } = authInfo!.extra![key] as { readonly call: MountCall; readonly signal: AbortSignal }
        return serve(call, signal)
      },
      // What it says of requests that are none is their answer; nobody else needs to know.
      { maxSubscriptions: 0, onerror: () => {} },
    )
    return { handler, isLegacyRequest, answerResumably, serve }
  }

  return {
    prefix,
    async close() {
      replays.close()
      await (await loading)?.handler.close()
    },
    async handle(call) {
      const { request, response, path, principal } = call
      if (path !== '/') throw httpErrors['route-not-found'](`there is nothing at ${prefix}${path}`)
      const admitted = call.admit(prefix)
      if (admitted !== undefined) await admitted
      const gone = new AbortController()
      response.once('close', () => gone.abort(new Error('the client went away')))
      const signal = AbortSignal.any([gone.signal, call.drain])
      const owner = `${principal.tenant}/${principal.id}/${principal.key ?? ''}`
      const missed = request.method === 'GET' ? request.headers['last-event-id'] : undefined
      if (typeof missed === 'string') return send(call, response, resumed(replays, owner, missed, signal), signal)
      const parsedBody = request.method === 'POST' ? await readMessage(request) : undefined
      const authInfo = { token: '', clientId: principal.id, scopes: [], extra: { [key]: { call, signal } } }
      loading ??= load()
      const { handler, isLegacyRequest, answerResumably, serve } = await loading
      const asked = webRequest(request, signal)
      const stream = isToolCall(parsedBody) && (await isLegacyRequest(asked, parsedBody)) ? replays.open(owner) : null
      if (stream === null) return send(call, response, await handler.fetch(asked, { authInfo, parsedBody }), signal)
      // The work goes on while its caller is away, for as long as he may come back.
      const until = AbortSignal.any([stream.signal, call.drain])
      const detach = stream.attach()
      try {
        const answer = await answerResumably(serve(call, until), stream, webRequest(request, until), parsedBody)
        await send(call, response, answer, signal)
      } finally {
        detach()
      }
    },
  }
}

/** One message a request: the limits of callers count requests. */
async function readMessage(request: IncomingMessage): Promise<unknown> {
  const type = request.headers['content-type'] ?? ''
  if (!/^application\/json\s*(;|$)/i.test(type)) throw httpErrors['media-type-unsupported'](`${type} is no JSON`)
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > mostBodyBytes) throw httpErrors['body-too-large'](`a message may have ${mostBodyBytes} bytes`)
    chunks.push(chunk)
  }
  let message: unknown
  try {
    message = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch (cause) {
    throw httpErrors['request-malformed']('the message is no JSON', { cause })
  }
  if (Array.isArray(message)) throw httpErrors['request-malformed']('messages are sent one by one, not as a list')
  return message
}

function isToolCall(message: unknown): boolean {
  return (message as { readonly method?: unknown } | null | undefined)?.method === 'tools/call'
}

/** What came after the last event that a caller saw, and what still comes. */
function resumed(replays: ReplayStreams, owner: string, eventId: string, signal: AbortSignal): Response {
  const found = replays.find(owner, eventId)
  if (found === null) {
    const text = 'the stream is not, or no longer, here; wait_run and run_events tell what became of a run'
    throw httpErrors['route-not-found'](text)
  }
  const body = ReadableStream.from(found.stream.follow(found.after, signal))
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform' },
  })
}

function webRequest(request: IncomingMessage, signal: AbortSignal): Request {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value === 'string' && name !== 'authorization') headers.set(name, value)
  }
  return new Request(`http://localhost${prefix}`, { method: request.method ?? 'GET', headers, signal })
}

async function send(call: MountCall, response: ServerResponse, answer: Response, signal: AbortSignal): Promise<void> {
  const own = call.ownHeaders()
  const headers = [...answer.headers].flat()
  response.writeHead(answer.status, [...own, ...headers, 'cache-control', 'no-store', 'x-accel-buffering', 'no'])
  if (answer.body !== null) {
    response.flushHeaders()
    await sendStream(response, answer.body as AsyncIterable<Uint8Array>, signal)
  }
  response.end()
}
