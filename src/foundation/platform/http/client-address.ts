import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'

/**
 * Who sent a request: the peer, or where proxies that are believed stand before us, the last address of
 * `X-Forwarded-For` that is not one of theirs.
 */
export function clientAddressOf(trusted: readonly string[]): (request: IncomingMessage) => string {
  if (trusted.length === 0) return ({ socket }) => socket.remoteAddress ?? ''
  const list = new BlockList()
  for (const network of trusted) {
    const [address = '', bits] = network.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  const isTrusted = (text: string) => {
    const address = text.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
  }
  return ({ socket, headers }) => {
    const peer = socket.remoteAddress ?? ''
    const header = headers['x-forwarded-for']
    if (header === undefined || !isTrusted(peer)) return peer
    const chain = (Array.isArray(header) ? header.join(',') : header).split(',').map((text) => text.trim())
    for (let n = chain.length - 1; n >= 0; n--)
      if (!isTrusted(chain[n]!)) return isIP(chain[n]!) === 0 ? peer : chain[n]!
    return chain[0] ?? peer
  }
}
