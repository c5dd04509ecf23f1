/** Belong to one connection, not to the message: RFC 9110, 7.6.1, and what was used before it. */
export const hopByHop: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer'],
  ...['trailers', 'transfer-encoding', 'upgrade', 'http2-settings', 'expect'],
])

/** Made anew for each request: how the message is framed, who sends it, and what the caller proved itself with. */
const ownRequestHeaders: ReadonlySet<string> = new Set([
  ...['host', 'content-length', 'authorization', 'x-api-key', 'via', 'traceparent', 'tracestate', 'x-request-id'],
  ...['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port', 'x-real-ip'],
  ...['x-forwarded-server', 'leanvibe-tenant', 'leanvibe-principal', 'x-forwarded-prefix'],
])

/** A route may give upstreams credentials of their own; everything else that is ours stays ours. */
const settable: ReadonlySet<string> = new Set(['authorization', 'x-api-key', 'host'])

/** What an upstream may not say for the whole of our origin. */
const ownResponseHeaders: ReadonlySet<string> = new Set([
  ...['access-control-allow-origin', 'access-control-allow-credentials', 'access-control-allow-headers'],
  ...['access-control-allow-methods', 'access-control-expose-headers', 'access-control-max-age'],
  ...['strict-transport-security', 'alt-svc', 'clear-site-data', 'service-worker-allowed', 'public-key-pins'],
  ...['ratelimit', 'ratelimit-policy', 'x-request-id', 'traceresponse'],
])

/** Whether a header of a request is passed on. */
export function isForwarded(name: string): boolean {
  return !hopByHop.has(name) && !ownRequestHeaders.has(name)
}

/** Whether a header of an answer is passed back. */
export function isPassedBack(name: string): boolean {
  return !hopByHop.has(name) && !ownResponseHeaders.has(name)
}

/** Whether a route may not set it. */
export function isReservedRequestHeader(name: string): boolean {
  return hopByHop.has(name) || (ownRequestHeaders.has(name) && !settable.has(name))
}

export function isReservedResponseHeader(name: string): boolean {
  return hopByHop.has(name) || ownResponseHeaders.has(name) || name === 'content-length'
}

/** The headers that a Connection header declares to belong to this connection alone. */
export function namedByConnection(connection: string | undefined): ReadonlySet<string> | null {
  if (connection === undefined) return null
  const lower = connection.toLowerCase()
  if (lower === 'keep-alive' || lower === 'close') return null
  return new Set(lower.split(',').map((name) => name.trim()))
}
