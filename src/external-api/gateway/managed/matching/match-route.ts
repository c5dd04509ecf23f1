import type { IncomingHttpHeaders } from 'node:http'
import type { WriteGatewayRoute } from '../route-definition-contract.ts'
import { type PathMatch, RouteTrie } from './route-trie.ts'

type GatewayMethod = WriteGatewayRoute['match']['methods'][number]

export interface MatchRequest {
  readonly method: string
  readonly path: string
  /** Without a port, in lower case. */
  readonly host: string
  readonly headers: IncomingHttpHeaders
}

/** Something that is reached by a route. */
export interface Matchable {
  readonly definition: Pick<WriteGatewayRoute, 'name' | 'match' | 'enabled'>
}

/** Finds the route for a request. Among routes of one path, those that ask for more come first, then by name. */
export class RouteTable<T extends Matchable> {
  readonly #trie: RouteTrie<T>
  readonly size: number

  constructor(routes: readonly T[]) {
    const on = routes.filter(({ definition }) => definition.enabled)
    this.size = on.length
    const sorted = on.toSorted(
      (a, b) => demandsOf(b) - demandsOf(a) || (a.definition.name < b.definition.name ? -1 : 1),
    )
    this.#trie = new RouteTrie(sorted.map((value) => ({ pattern: value.definition.match.path, value })))
  }

  find(request: MatchRequest): PathMatch<T> | null {
    return this.#trie.find(request.path, ({ definition }) => fits(definition.match, request))
  }

  /** With which methods such a request would fit a route; none where no method would do. Asked when `find` found none. */
  methodsOf(request: MatchRequest): readonly GatewayMethod[] {
    const found = new Set<GatewayMethod>()
    this.#trie.find(request.path, ({ definition: { match } }) => {
      if (fits({ ...match, methods: [] }, request)) for (const method of match.methods) found.add(method)
      return false
    })
    return [...found].sort()
  }
}

function demandsOf({ definition: { match } }: Matchable): number {
  const exact = match.hosts.some((host) => !host.startsWith('*.'))
  return (
    Object.keys(match.headers).length * 8 +
    (match.hosts.length > 0 ? (exact ? 4 : 2) : 0) +
    (match.methods.length > 0 ? 1 : 0)
  )
}

function fits({ methods, hosts, headers }: WriteGatewayRoute['match'], request: MatchRequest): boolean {
  if (methods.length > 0 && !(methods as readonly string[]).includes(request.method)) return false
  if (hosts.length > 0 && !hosts.some((host) => isHost(host, request.host))) return false
  for (const name in headers) {
    const given = request.headers[name]
    const wanted = headers[name]
    if (given === undefined || (wanted !== null && given !== wanted)) return false
  }
  return true
}

function isHost(pattern: string, host: string): boolean {
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern
}

/** `Example.org:8080` is the host `example.org`. */
export function hostNameOf(header: string | undefined): string {
  return (header ?? '').toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '')
}
