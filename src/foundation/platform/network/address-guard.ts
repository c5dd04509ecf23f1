import { lookup as lookupName } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/** Which addresses may be spoken to. */
export interface AddressGuard {
  /** Whether the address is public, or one the operator allows. */
  permits(address: string): boolean
  /** Whether the operator allows it by name: only there may a URL do without TLS. */
  allows(address: string): boolean
  /** Refuses a URL that no delivery could be sent to, as far as that can be told without looking names up. */
  checkUrl(text: string): URL
  /**
   * For sockets: resolves a name and passes on only the addresses that are permitted, so that what is checked is what is
   * connected to. Fails with the refusal of addresses where none is left.
   */
  readonly lookup: LookupFunction
  /** As `lookup`, for what travels in the clear: only addresses that the operator allows by name. */
  readonly lookupAllowed: LookupFunction
}

/** The errors of the part that speaks to addresses which others chose. */
export interface AddressRefusals {
  /** What is wrong with a URL that was given. */
  readonly url: (why: string) => Error
  /** A host that is at no address which may be spoken to. */
  readonly address: (why: string) => Error
}

type Resolve = typeof lookupName

/**
 * Refuses loopback, private, link-local, carrier and documentation ranges, multicast, the metadata services of clouds, and
 * IPv6 addresses that carry such an IPv4 address. `allow` holds networks such as `10.1.0.0/16` or `127.0.0.1/32`.
 */
export function createAddressGuard(
  allow: readonly string[],
  refusals: AddressRefusals,
  resolve: Resolve = lookupName,
): AddressGuard {
  const allowed = new BlockList()
  for (const network of allow) {
    const { address, bits, family } = parseNetwork(network, refusals.url)
    allowed.addSubnet(address, bits, family)
  }
  const allows = (address: string) => isIP(address) !== 0 && allowed.check(address, familyOf(address))
  const permits = (address: string) => isIP(address) !== 0 && (allows(address) || isPublic(address))
  const refused = (host: string, addresses: readonly string[]) =>
    refusals.address(`${host} is at ${addresses.join(', ')}, which is refused`)
  const badUrl = (why: string) => refusals.url(`the URL ${why}`)
  const lookupOnly =
    (passes: (address: string) => boolean): LookupFunction =>
    (host, options, done) => {
      resolve(host, { ...options, all: true }, (error, found) => {
        if (error !== null) return void done(error, '', 0)
        const addresses = found.filter(({ address }) => passes(address))
        const first = addresses[0]
        if (first === undefined) {
          const all = found.map(({ address }) => address)
          return void done(refused(host, all), '', 0)
        }
        if (options.all === true) (done as unknown as (error: null, all: typeof addresses) => void)(null, addresses)
        else done(null, first.address, first.family)
      })
    }

  return {
    allows,
    permits,
    checkUrl(text) {
      const url = URL.canParse(text) ? new URL(text) : null
      if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) throw badUrl('is no https URL')
      if (url.username !== '' || url.password !== '') throw badUrl('carries credentials')
      const host = hostOf(url)
      if (isIP(host) !== 0 && !permits(host)) throw badUrl(`names ${host}, which is refused`)
      if (url.protocol === 'http:' && !(isIP(host) !== 0 && allows(host))) throw badUrl('is not https')
      return url
    },
    lookup: lookupOnly(permits),
    lookupAllowed: lookupOnly(allows),
  }
}

/** The host of a URL as sockets take it: IPv6 without its brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

/** `10.0.0.0/8`, or one address. Throws what `refuse` makes for anything else. */
function parseNetwork(
  text: string,
  refuse: AddressRefusals['url'] = (why) => new Error(why),
): { address: string; bits: number; family: 'ipv4' | 'ipv6' } {
  const [address = '', length] = text.split('/')
  const widest = isIP(address) === 4 ? 32 : 128
  const bits = length === undefined ? widest : Number(length)
  if (isIP(address) === 0 || !/^\d{1,3}$/.test(length ?? '0') || bits > widest) {
    throw refuse(`${JSON.stringify(text)} is no network such as 10.1.0.0/16`)
  }
  return { address, bits, family: familyOf(address) }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}

/** Not for the public: IANA's special-purpose registry, multicast, and the address by which Azure serves its hosts. */
const special = new BlockList()
for (const network of [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4', '168.63.129.16/32'],
  ...['2001::/23', '2001:db8::/32', '3fff::/20'],
]) {
  const { address, bits, family } = parseNetwork(network)
  special.addSubnet(address, bits, family)
}
const globalUnicast = new BlockList()
globalUnicast.addSubnet('2000::', 3, 'ipv6')

function isPublic(address: string): boolean {
  if (isIP(address) === 4) return !special.check(address, 'ipv4')
  const inner = carriedIpv4(address)
  if (inner !== null) return isPublic(inner)
  return globalUnicast.check(address, 'ipv6') && !special.check(address, 'ipv6')
}

/** The IPv4 address within a mapped (::ffff:0:0/96), translated (64:ff9b::/96) or 6to4 (2002::/16) one. */
function carriedIpv4(address: string): string | null {
  const words = expand(address)
  const at = (n: number) => `${words[n]! >> 8}.${words[n]! & 255}.${words[n + 1]! >> 8}.${words[n + 1]! & 255}`
  const begins = (...head: number[]) => head.every((word, n) => words[n] === word)
  if (begins(0, 0, 0, 0, 0, 0xffff) || begins(0x64, 0xff9b, 0, 0, 0, 0)) return at(6)
  return words[0] === 0x2002 ? at(1) : null
}

/** The eight words of an IPv6 address. */
function expand(address: string): readonly number[] {
  // A URL writes any form of an IPv6 address in hexadecimal words, also one that ends in dots.
  const text = new URL(`http://[${address.split('%')[0]}]`).hostname.slice(1, -1)
  const [head = '', tail] = text.split('::')
  const wordsOf = (part: string) => (part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16)))
  const left = wordsOf(head)
  if (tail === undefined) return left
  const right = wordsOf(tail)
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
}
