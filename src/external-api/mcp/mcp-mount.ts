import type { IncomingMessage, ServerResponse } from 'node:http'
import type { McpHttpHandler } from '@modelcontextprotocol/server'
import { httpErrors } from '../../foundation/platform/http/http-errors.ts'
import type { Mount, MountCall } from '../../foundation/platform/http/mount.ts'
import type { Route } from '../../foundation/platform/http/route.ts'
import { sendStream } from '../../foundation/platform/http/send-stream.ts'
import { createRouteCaller, indexRoutes } from './route-caller.ts'

export interface McpMountOptions {
  /** Those that the server answers; tools call them for whoever calls. */
  readonly routes: readonly Route[]
  readonly version: string
  readonly onError: (error: unknown) => void
}

const prefix = '/mcp'
const mostBodyBytes = 4 * 1_048_576
const key = 'leanvibe'

/**
 * The fleet as an MCP server over Streamable HTTP. Every request is complete in itself, so that any replica answers it:
 * there are no sessions, and a client that lost its stream goes on by `run_events` behind the last cursor it saw.
 */
export function createMcpMount({ routes, version, onError }: McpMountOptions): Mount & { close(): Promise<void> } {
  const index = indexRoutes(routes)
  let loading: Promise<McpHttpHandler> | null = null

  // The SDK takes a fifth of a second to load: only where somebody calls.
  async function load(): Promise<McpHttpHandler> {
    const [{ createMcpHandler }, { createFleetServer }] = await Promise.all([
      import('@modelcontextprotocol/server'),
      import('./fleet-server.ts'),
    ])
    return createMcpHandler(
      ({ authInfo }) => {
        const { call, signal } = authInfo!.extra![key] as { readonly call: MountCall; readonly signal: AbortSignal }
        const { principal, requestId, trace, ip } = call
        const api = createRouteCaller(index, { principal, requestId, trace, ip, signal })
        return createFleetServer({ api, version, onError })
      },
      // What it says of requests that are none is their answer; nobody else needs to know.
      { maxSubscriptions: 0, onerror: () => {} },
    )
  }

  return {
    prefix,
    close: async () => (await loading)?.close(),
    async handle(call) {
      const { request, response, path, principal } = call
      if (path !== '/') throw httpErrors['route-not-found'](`there is nothing at ${prefix}${path}`)
      const admitted = call.admit(prefix)
      if (admitted !== undefined) await admitted
      const gone = new AbortController()
      response.once('close', () => gone.abort(new Error('the client went away')))
      const signal = AbortSignal.any([gone.signal, call.drain])
      const parsedBody = request.method === 'POST' ? await readMessage(request) : undefined
      const authInfo = { token: '', clientId: principal.id, scopes: [], extra: { [key]: { call, signal } } }
      loading ??= load()
      const handler = await loading
      const answer = await handler.fetch(webRequest(request, signal), { authInfo, parsedBody })
      await send(call, response, answer, signal)
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
