import type { IncomingHttpHeaders } from 'node:http'
import type { WriteGatewayRoute } from '../route-definition-contract.ts'
import { isPassedBack, namedByConnection } from './header-names.ts'

/** Documents that run scripts. Served from our origin, they must not reach what else lies there. */
const documents = /^(text\/html|application\/xhtml\+xml|image\/svg\+xml|text\/xml|application\/xml)/i

/**
 * The headers of an answer as a flat list: those of the upstream that concern the message, then `own`. Documents are
 * confined to an origin of their own, and nothing is sniffed.
 */
export function responseHeadersOf(
  headers: IncomingHttpHeaders,
  policy: WriteGatewayRoute['responseHeaders'],
  own: readonly string[],
): string[] {
  const { set, add, remove } = policy
  const connection = headers.connection
  const dropped = namedByConnection(Array.isArray(connection) ? String(connection) : connection)
  const out: string[] = []
  for (const name in headers) {
    if (!isPassedBack(name) || (dropped?.has(name) ?? false)) continue
    if (Object.hasOwn(set, name) || remove.includes(name)) continue
    const value = headers[name]!
    if (typeof value === 'string') out.push(name, value)
    else for (const each of value) out.push(name, each)
  }
  const type = set['content-type'] ?? headers['content-type']
  if (type !== undefined && documents.test(type))
    out.push('content-security-policy', 'sandbox allow-scripts allow-forms allow-popups')
  if (headers['x-content-type-options'] === undefined) out.push('x-content-type-options', 'nosniff')
  for (const name in set) out.push(name, set[name]!)
  for (const name in add) out.push(name, add[name]!)
  for (const each of own) out.push(each)
  return out
}
