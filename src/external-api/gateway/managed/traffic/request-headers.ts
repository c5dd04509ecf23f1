import type { IncomingMessage } from 'node:http'
import { formatTraceparent, type TraceContext } from '../../../../foundation/platform/http/trace-context.ts'
import type { WriteGatewayRoute } from '../route-definition-contract.ts'
import { isForwarded, namedByConnection } from './header-names.ts'

export interface ForwardedRequest {
  readonly request: IncomingMessage
  readonly ip: string
  readonly secure: boolean
  readonly requestId: string
  readonly trace: TraceContext
  readonly tenant: string
  readonly principal: string
  readonly policy: WriteGatewayRoute['requestHeaders']
  readonly preserveHost: boolean
  /** The upstream's own, as the Host header has it. */
  readonly authority: string
}

/** How we call ourselves to the servers behind us. */
export const viaName = 'leanvibe'

/**
 * The headers that an upstream gets, as a flat list of names and values. What belongs to the connection of the client, what
 * frames its message and what it proved itself with stay here; `Connection` cannot take away what we say.
 */
export function requestHeadersOf(forwarded: ForwardedRequest): string[] {
  const { request, policy, authority, preserveHost, trace } = forwarded
  const { rawHeaders, headers } = request
  const dropped = namedByConnection(headers.connection)
  const { set, add, remove } = policy
  const isPlain = remove.length === 0
  const out: string[] = ['host', set.host ?? (preserveHost ? (headers.host ?? authority) : authority)]
  for (let n = 0; n < rawHeaders.length; n += 2) {
    const name = rawHeaders[n]!.toLowerCase()
    if (!isForwarded(name) || (dropped?.has(name) ?? false)) continue
    if (Object.hasOwn(set, name) || !(isPlain || !remove.includes(name))) continue
    out.push(name, rawHeaders[n + 1]!)
  }
  const via = headers.via === undefined ? '' : `${headers.via}, `
  out.push('via', `${via}${request.httpVersion} ${viaName}`)
  out.push('x-forwarded-for', forwarded.ip, 'x-forwarded-proto', forwarded.secure ? 'https' : 'http')
  if (headers.host !== undefined) out.push('x-forwarded-host', headers.host)
  out.push('x-request-id', forwarded.requestId, 'traceparent', formatTraceparent(trace))
  if (trace.state !== null) out.push('tracestate', trace.state)
  out.push('leanvibe-tenant', forwarded.tenant, 'leanvibe-principal', plain(forwarded.principal))
  for (const name in set) if (name !== 'host') out.push(name, set[name]!)
  for (const name in add) out.push(name, add[name]!)
  return out
}

/** How often the request has passed a gateway of ours. */
export function hopsOf(via: string | undefined): number {
  return via === undefined ? 0 : via.split(',').filter((hop) => hop.trim().endsWith(` ${viaName}`)).length
}

function plain(text: string): string {
  return /^[\x21-\x7e]{1,200}$/.test(text) ? text : encodeURIComponent(text).slice(0, 200)
}
