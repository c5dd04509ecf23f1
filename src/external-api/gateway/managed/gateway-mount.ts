import type { Verdict } from '../../../foundation/platform/http/front-door.ts'
import type { Mount, MountCall } from '../../../foundation/platform/http/mount.ts'
import type { Permission } from '../../../foundation/platform/http/principal.ts'
import type { AddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import type { Limiter, Taking } from '../front-door/limiter.ts'
import { gatewayPrefix } from './gateway-contract.ts'
import { gatewayErrors } from './gateway-errors.ts'
import type { LiveRoute } from './live-route.ts'
import type { LiveRoutes } from './live-routes.ts'
import { hostNameOf } from './matching/match-route.ts'
import { isPlainQuery, isUnambiguous, rewritePath } from './matching/safe-path.ts'
import { Exchange } from './traffic/exchange.ts'
import { hopsOf } from './traffic/request-headers.ts'
import { openTunnel } from './traffic/tunnel.ts'

export interface GatewayMountOptions {
  readonly live: LiveRoutes
  readonly limiter: Limiter
  readonly guard: AddressGuard
  /** Numbers in [0, 1). */
  readonly random: () => number
}

/** A request that comes by here more often runs in a circle. */
const mostHops = 4

/** Takes all that comes below /gateway: finds the route, asks whether the caller may, and passes it on. */
export function createGatewayMount(options: GatewayMountOptions): Mount {
  const { live, limiter } = options
  return {
    prefix: gatewayPrefix,
    async handle(call) {
      const { path, query, request, principal } = call
      if (!isUnambiguous(path) || !isPlainQuery(query))
        throw gatewayErrors['gateway-path-refused']('the path can be read in two ways')
      const tenant = live.of(principal.tenant)
      if (tenant?.stopped === true) throw gatewayErrors['gateway-stopped']('the gateway is stopped')
      const { method = '', headers } = request
      const wanted = { method, path, host: hostNameOf(headers.host), headers }
      const found = tenant?.table.find(wanted) ?? null
      if (found === null) return refuse(call, tenant?.table.methodsOf(wanted) ?? [])
      const { value: route, params } = found
      const { name, permission, rewrite, rate } = route.definition
      call.permit(permission as Permission)
      const admitted = call.admit(`${gatewayPrefix} ${name}`)
      if (admitted !== undefined) await admitted
      if (rate !== null) {
        const taken = limiter.take(rateKeyOf(route, call), { requests: rate.requests, windowMs: rate.seconds * 1_000 })
        obeyRate(call, route, taken instanceof Promise ? await taken : taken)
      }
      if (hopsOf(headers.via) >= mostHops) throw gatewayErrors['gateway-loop']('the request runs in a circle')
      const target = (rewrite === null ? path : rewritePath(rewrite, params)) + query
      if (call.upgrade !== null) passUpgrade(options, call, route, target)
      else await new Exchange({ call, route, path: target, random: options.random }).run()
    },
  }
}

/** Tells a path that is not there from one that takes other methods. */
function refuse(call: MountCall, allowed: readonly string[]): void {
  const { path, request, response } = call
  const { method } = request
  if (allowed.length === 0) throw gatewayErrors['gateway-route-unknown'](`no managed route takes ${method} ${path}`)
  const allow = allowed.join(', ')
  if (method === 'OPTIONS') return void response.writeHead(204, [...call.ownHeaders(), 'allow', allow]).end()
  throw gatewayErrors['gateway-method-refused'](`${path} takes ${allow}, not ${method}`, { details: { allow } })
}

function rateKeyOf({ rateKey, definition }: LiveRoute, { principal }: MountCall): string {
  return definition.rate?.per === 'route' ? rateKey : `${rateKey}:${principal.key ?? principal.id}`
}

function obeyRate(call: MountCall, { definition, counters }: LiveRoute, { taken, tokens, waitMs }: Taking): void {
  const { requests, seconds } = definition.rate!
  const remaining = Math.max(0, Math.floor(tokens))
  const state = {
    name: definition.name,
    quota: requests,
    windowSeconds: seconds,
    remaining,
    resetSeconds: ((requests - remaining) * seconds) / requests,
  }
  if (!taken) counters.rateLimited += 1
  const verdict: Verdict = { allowed: taken, retryAfterMs: waitMs, states: [state] }
  call.obey(verdict)
}

function passUpgrade({ guard, random }: GatewayMountOptions, call: MountCall, route: LiveRoute, path: string): void {
  const { definition } = route
  if (!definition.upgrades) throw gatewayErrors['gateway-upgrade-refused'](`${definition.name} does not take upgrades`)
  const now = performance.now()
  const { affinity } = definition
  const key = affinity?.by === 'header' ? call.request.headers[affinity.header] : undefined
  const upstream = route.choose({ now, draw: random(), ...(key === undefined ? {} : { key: String(key) }) })
  const permit = upstream?.breaker.acquire(now) ?? null
  if (upstream === null || permit === null)
    throw gatewayErrors['gateway-no-upstream'](`${definition.name} has no upstream now`, {
      details: { retryAfterMs: Math.max(1_000, route.waitMs(now)) },
    })
  openTunnel({ call, upgrade: call.upgrade!, route, upstream, permit, path, guard })
}
