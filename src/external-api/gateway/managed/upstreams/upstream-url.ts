import { isIP } from 'node:net'
import { type AddressGuard, hostOf } from '../../../../foundation/platform/network/address-guard.ts'
import { gatewayErrors } from '../gateway-errors.ts'

/** Where an upstream is: an origin, and the path that goes before those of requests. */
export interface UpstreamAddress {
  readonly origin: string
  readonly secure: boolean
  /** As sockets take it. */
  readonly host: string
  /** As the Host header has it. */
  readonly authority: string
  /** Without a slash at its end. */
  readonly basePath: string
}

/**
 * Refuses what could not be an upstream, as far as that can be told without looking names up. In the clear only addresses
 * that the operator allows are spoken to; a name may lead to one, which is seen when it is connected to.
 */
export function readUpstreamUrl(text: string, guard: AddressGuard): UpstreamAddress {
  const refuse = (why: string) => gatewayErrors['gateway-url-refused'](`${text.slice(0, 200)} ${why}`)
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) throw refuse('is no http or https URL')
  if (url.username !== '' || url.password !== '') throw refuse('carries credentials')
  if (url.search !== '' || url.hash !== '') throw refuse('has a query or a fragment')
  const host = hostOf(url)
  const secure = url.protocol === 'https:'
  if (isIP(host) !== 0 && !(secure ? guard.permits(host) : guard.allows(host))) {
    throw refuse(secure ? 'names an address that is refused' : 'names an address that is not allowed without TLS')
  }
  return { origin: url.origin, secure, host, authority: url.host, basePath: url.pathname.replace(/\/+$/, '') }
}
