import { isIP, type LookupFunction } from 'node:net'
import type { buildConnector } from 'undici'
import type { AddressGuard } from '../../../../foundation/platform/network/address-guard.ts'
import { gatewayErrors } from '../gateway-errors.ts'
import type { UpstreamAddress } from './upstream-url.ts'

/** Names are looked up at each connect, and only what the guard lets pass is connected to. */
export function lookupFor({ secure }: UpstreamAddress, guard: AddressGuard): LookupFunction {
  return secure ? guard.lookup : guard.lookupAllowed
}

/** An address in the URL is never looked up: it is asked for here. */
export function assertAddress({ host, secure }: UpstreamAddress, guard: AddressGuard): void {
  if (isIP(host) === 0 || (secure ? guard.permits(host) : guard.allows(host))) return
  throw gatewayErrors['gateway-address-refused'](`${host} is refused`)
}

/** The connector of a pool: bounded in time, guarded at each connect. */
export function guardedConnector(
  build: typeof buildConnector,
  address: UpstreamAddress,
  guard: AddressGuard,
  connectMs: number,
): buildConnector.connector {
  const connect = build({ timeout: connectMs, lookup: lookupFor(address, guard), allowH2: false })
  return (options, done) => {
    try {
      assertAddress(address, guard)
    } catch (error) {
      return void done(error as Error, null)
    }
    connect(options, done)
  }
}
