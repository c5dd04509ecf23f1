import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseWith } from '../../kernel/schema.ts'
import { httpErrors } from './http-errors.ts'
import { readIdempotencyKey } from './idempotency.ts'
import { createTaker, type Mount, type MountCall, type MountSettings } from './mount.ts'
import { ownHeaders } from './own-headers.ts'
import { readIfMatch } from './preconditions.ts'
import { prepareJson } from './reply.ts'
import type { Route } from './route.ts'

interface DirectRoute {
  readonly method: string
  /** Up to its only parameter. */
  readonly before: string
  readonly mount: Mount
}

const usualLimit = 8 * 1_048_576
const safety = Object.entries(ownHeaders).flat()

/**
 * Answers routes that anybody may call with a body that is taken as it comes, such as those of webhooks: floods come this
 * way, so it leaves out what such a route does not use. All else of these paths, other methods too, is left to the router;
 * whoever calls cannot tell the difference.
 */
export function createDirectRoutes(
  routes: readonly Route[],
  settings: MountSettings,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const table = routes.filter(isDirect).map(directRoute)
  const take = createTaker(settings)
  return (request, response) => {
    const { method, url = '' } = request
    const found = table.find((route) => route.method === method && isOf(url, route.before))
    if (found === undefined) return false
    take(found.mount, request, response)
    return true
  }
}

function isDirect(route: Route): boolean {
  const { permission, rawBody, reply, query, limit, deprecated, failure } = route
  const plain = query === null && limit === null && deprecated === null && failure === null
  return permission === 'public' && rawBody && reply === 'json' && plain && /^\/[^:*]+\/:\w+$/.test(route.path)
}

/** Whether the rest of an address is one plain word: what is encoded, or has a query, is for the router. */
function isOf(url: string, before: string): boolean {
  return url.startsWith(before) && /^[\w-]{1,200}$/.test(url.slice(before.length))
}

function directRoute(route: Route): DirectRoute {
  const cut = route.path.indexOf(':')
  const before = route.path.slice(0, cut)
  const name = route.path.slice(cut + 1)
  const handle = (call: MountCall) => answer(route, { [name]: call.path.slice(1) }, call)
  const prefix = before.slice(0, -1) as `/${string}`
  return { method: route.method, before, mount: { prefix, name: route.path, open: true, handle } }
}

async function answer(route: Route, params: Readonly<Record<string, string>>, call: MountCall): Promise<void> {
  const { request, response } = call
  const { headers } = request
  const rawBody = await readBody(request, route.bodyLimit ?? usualLimit)
  let gone: AbortController | null = null
  const result = await route.handle({
    ...{ params: route.params === null ? undefined : parseWith(route.params, params, 'path') },
    ...{ query: undefined, body: undefined, principal: null, lastEventId: null, upgrade: null },
    ...{ requestId: call.requestId, trace: call.trace, ip: call.ip, headers, rawBody },
    idempotencyKey: readIdempotencyKey(headers['idempotency-key']),
    tookEffect: () => {},
    tellLimit: (state) => call.obey({ allowed: true, retryAfterMs: 0, states: [state] }),
    ifMatch: readIfMatch(headers['if-match']),
    // Few ask.
    get signal() {
      gone ??= goneWith(response)
      return gone.signal
    },
  })
  const prepared = prepareJson(route, result)
  const { body } = prepared
  const own = call.ownHeaders()
  own.push(...safety)
  for (const header in prepared.headers) own.push(header, prepared.headers[header]!)
  if (body !== null) own.push('content-length', String(Buffer.byteLength(body)))
  response.writeHead(prepared.status, own).end(body ?? undefined)
}

function goneWith(response: ServerResponse): AbortController {
  const gone = new AbortController()
  const leave = () => {
    if (!response.writableFinished) gone.abort(new Error('the client went away'))
  }
  if (response.destroyed) leave()
  else response.once('close', leave)
  return gone
}

/** Errors: `body-too-large`, before it has arrived where it says how long it is; `request-malformed` where it ends early. */
function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tooLarge = () => reject(httpErrors['body-too-large'](`the body is over the ${limit} bytes of its route`))
    if (Number(request.headers['content-length'] ?? 0) > limit) return tooLarge()
    const parts: Buffer[] = []
    let bytes = 0
    request.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes <= limit) return void parts.push(part)
      request.pause()
      tooLarge()
    })
    request.once('end', () => resolve(parts.length === 1 ? parts[0]! : Buffer.concat(parts)))
    const cut = () => {
      if (!request.complete) reject(httpErrors['request-malformed']('the body ends early'))
    }
    request.once('error', cut)
    request.once('close', cut)
  })
}
