import type { WriteGatewayRoute } from '../route-definition-contract.ts'

/** The value of one cookie of a Cookie header; undefined where it is not there. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  if (header === undefined || !header.includes(name)) return undefined
  for (const part of header.split(';')) {
    const cut = part.indexOf('=')
    if (cut > 0 && part.slice(0, cut).trim() === name) return part.slice(cut + 1).trim()
  }
  return undefined
}

/** The cookie that keeps a caller with its upstream. */
export function affinityCookie(
  name: string,
  token: string,
  { seconds, secure }: { readonly seconds: number; readonly secure: boolean },
): string {
  return `${name}=${token}; Path=/gateway; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`
}

export type Affinity = WriteGatewayRoute['affinity']
