import type { TenantId } from '../../../foundation/kernel/ids.ts'
import { type Route, route } from '../../../foundation/platform/http/route.ts'
import { figuresOf } from './figures/route-figures.ts'
import {
  changeGatewayRoute,
  createGatewayRoute,
  type GatewayStatus,
  gatewayPrefix,
  listGatewayRoutes,
  removeGatewayRoute,
  showGateway,
  showGatewayRoute,
  showGatewayStats,
  startGateway,
  stopGateway,
} from './gateway-contract.ts'
import { toGatewayRouteView } from './gateway-route.ts'
import type { LiveRoutes } from './live-routes.ts'
import type { RoutesService } from './routes-service.ts'

export interface GatewayRoutesOptions {
  readonly service: RoutesService
  readonly live: LiveRoutes
  /** What this process is called. */
  readonly replica: string
}

export function gatewayRoutes({ service, live, replica }: GatewayRoutesOptions): Route[] {
  const set = async (tenant: TenantId, stopped: boolean) => {
    await service.setStopped(tenant, stopped)
    return statusOf(service, live, tenant)
  }
  return [
    route({
      ...listGatewayRoutes,
      permission: 'gateway:read',
      handle: async ({ principal }) => ({ items: (await service.list(principal.tenant)).map(toGatewayRouteView) }),
    }),
    route({
      ...createGatewayRoute,
      permission: 'gateway:admin',
      handle: async ({ principal, body }) => toGatewayRouteView(await service.create(principal.tenant, body)),
    }),
    route({
      ...showGatewayRoute,
      permission: 'gateway:read',
      handle: async ({ principal, params }) => toGatewayRouteView(await service.show(principal.tenant, params.id)),
    }),
    route({
      ...changeGatewayRoute,
      permission: 'gateway:admin',
      handle: async ({ principal, params, body, ifMatch }) =>
        toGatewayRouteView(await service.change(principal.tenant, params.id, body, ifMatch)),
    }),
    route({
      ...removeGatewayRoute,
      permission: 'gateway:admin',
      handle: ({ principal, params, ifMatch }) => service.remove(principal.tenant, params.id, ifMatch),
    }),
    route({
      ...showGatewayStats,
      permission: 'gateway:read',
      handle: async ({ principal, query }) => {
        const { tenant } = principal
        const only = query.route === undefined ? null : await service.show(tenant, query.route)
        const all = [...(live.of(tenant)?.routes.values() ?? [])]
        const wanted = only === null ? all : all.filter(({ id }) => id === only.id)
        return { replica, items: wanted.map(figuresOf).sort((a, b) => (a.name < b.name ? -1 : 1)) }
      },
    }),
    route({
      ...showGateway,
      permission: 'gateway:read',
      handle: ({ principal }) => statusOf(service, live, principal.tenant),
    }),
    route({ ...startGateway, permission: 'gateway:admin', handle: ({ principal }) => set(principal.tenant, false) }),
    route({ ...stopGateway, permission: 'gateway:admin', handle: ({ principal }) => set(principal.tenant, true) }),
  ]
}

async function statusOf(service: RoutesService, live: LiveRoutes, tenant: TenantId): Promise<GatewayStatus> {
  const [stored, stopped] = await Promise.all([service.list(tenant), service.isStopped(tenant)])
  const routes = [...(live.of(tenant)?.routes.values() ?? [])]
  const upstreams = routes.filter(({ definition }) => definition.enabled).flatMap((each) => each.upstreams)
  const down = upstreams.filter((upstream) => upstream.health === 'unhealthy' || upstream.breaker.state === 'open')
  const enabled = stored.filter(({ definition }) => definition.enabled).length
  const missing = routes.filter(({ definition }) => definition.enabled).length < enabled
  return {
    status: stopped ? 'stopped' : down.length > 0 || missing ? 'degraded' : 'healthy',
    serverRunning: true,
    routes: stored.length,
    enabledRoutes: enabled,
    upstreams: upstreams.length,
    upstreamsDown: down.length,
    totalRequests: routes.reduce((sum, { counters }) => sum + counters.requests, 0),
    active: routes.reduce((sum, { counters }) => sum + counters.active, 0),
    prefix: gatewayPrefix,
  }
}
