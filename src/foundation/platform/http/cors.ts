import type { IncomingHttpHeaders } from 'node:http'

export interface CorsOptions {
  /** Origins whose scripts may call, for example `https://console.example.org`; `*` for all. Empty: only our own. */
  readonly origins: readonly string[]
  /** How long a browser may keep the answer to a preflight, in seconds. Default 600. */
  readonly maxAge?: number
}

export interface CorsAnswer {
  /** The whole answer to a preflight; otherwise the headers are added to that of the route. */
  readonly preflight: boolean
  readonly headers: Readonly<Record<string, string>>
}

const methods = 'GET, HEAD, POST, PUT, PATCH, DELETE'
const requestHeaders = [
  ...['authorization', 'content-type', 'idempotency-key', 'if-match', 'if-none-match', 'last-event-id'],
  ...['x-api-key', 'x-request-id', 'traceparent', 'tracestate', 'leanvibe-tenant'],
]
/** Beside those, what upstreams and model providers take: nobody but them knows these names. */
const mostAsked = 1_000
const exposed = [
  ...['etag', 'x-request-id', 'traceresponse', 'retry-after', 'ratelimit', 'ratelimit-policy', 'location'],
  ...['idempotency-replayed', 'deprecation', 'sunset', 'link', 'content-disposition'],
  ...['leanvibe-call', 'leanvibe-account', 'leanvibe-model', 'leanvibe-output-limit'],
].join(', ')

/**
 * Cross-origin rules of the Fetch standard. Callers prove themselves by a header, never by a cookie, so credentials are
 * not allowed and `*` is safe. A preflight is answered before anything else is asked, because it carries no key.
 */
export function createCors({ origins, maxAge = 600 }: CorsOptions) {
  const allowed = new Set(origins)
  return (method: string, headers: IncomingHttpHeaders): CorsAnswer => {
    const { origin } = headers
    const asked = headers['access-control-request-method']
    const preflight = method === 'OPTIONS' && typeof origin === 'string' && typeof asked === 'string'
    const own: Record<string, string> = origins.length === 0 ? {} : { vary: 'origin' }
    if (typeof origin !== 'string' || !(allowed.has('*') || allowed.has(origin))) return { preflight, headers: own }
    own['access-control-allow-origin'] = allowed.has('*') ? '*' : origin
    if (!preflight) return { preflight, headers: { ...own, 'access-control-expose-headers': exposed } }
    return {
      preflight,
      headers: {
        ...own,
        vary: 'origin, access-control-request-method, access-control-request-headers',
        'access-control-allow-methods': methods,
        'access-control-allow-headers': [...new Set([...requestHeaders, ...namesIn(headers)])].join(', '),
        'access-control-max-age': String(maxAge),
      },
    }
  }
}

/** The headers that a preflight asks for. */
function namesIn(headers: IncomingHttpHeaders): readonly string[] {
  const asked = headers['access-control-request-headers']
  if (typeof asked !== 'string' || asked.length > mostAsked) return []
  const names = asked.split(',').map((name) => name.trim().toLowerCase())
  return names.filter((name) => /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
}
