import {
  changeGatewayRoute,
  createGatewayRoute,
  type GatewayRouteView,
  listGatewayRoutes,
  type RouteFigures,
  removeGatewayRoute,
  showGatewayRoute,
  showGatewayStats,
} from '../../external-api/gateway/managed/gateway-contract.ts'
import { holds } from '../../foundation/platform/http/principal.ts'
import { listKeys } from '../../security/authn/keys-contract.ts'
import { permissionsOfRole } from '../../security/authz/roles-contract.ts'
import type { CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { formatBytes, oneLine, table } from '../text.ts'
import { type GatewayAction, type GatewayCliOptions, need } from './gateway-options.ts'
import { routeFromOptions } from './route-from-options.ts'

export const actions: Readonly<Record<string, GatewayAction>> = {
  routes,
  'add-route': addRoute,
  'set-route': setRoute,
  'enable-route': (context, options) => setEnabled(context, options, true),
  'disable-route': (context, options) => setEnabled(context, options, false),
  'remove-route': removeRoute,
  keys,
  stats,
}

const quiet = (options: GatewayCliOptions) => ({ work: false, tenant: options.tenant })

/** All routes, or with --id one in full. */
async function routes(context: CliContext, options: GatewayCliOptions): Promise<number> {
  const { out } = context
  return withConnection(context, quiet(options), async ({ client }) => {
    if (options.id !== undefined) {
      const route = await client.call(showGatewayRoute, { params: { id: options.id } })
      out.document(route)
      out.lines(JSON.stringify(route, null, 2))
      return 0
    }
    const { items } = await client.call(listGatewayRoutes)
    for (const item of items) out.document(item)
    if (items.length === 0) out.lines('no managed route yet; add one: leanvibe gateway --action add-route')
    else out.lines(...table(items.map(rowOf)))
    return 0
  })
}

function rowOf({ name, match, targets, strategy, permission, enabled }: GatewayRouteView): string[] {
  const upstreams = targets.flatMap((target) => target.upstreams)
  return [
    name,
    enabled ? 'on' : 'off',
    match.methods.join(',') || 'any',
    `${match.hosts.join(',')}/gateway${match.path}`,
    strategy,
    permission,
    oneLine(upstreams.map(({ url }) => url).join(' '), 100),
  ]
}

async function addRoute(context: CliContext, options: GatewayCliOptions): Promise<number> {
  const body = await routeFromOptions(context, options)
  return withConnection(context, quiet(options), async ({ client }) => {
    const route = await client.call(createGatewayRoute, { body })
    context.out.document(route)
    context.out.lines(`${route.name} (${route.id}) takes requests at ${client.url}/gateway${route.match.path}`)
    context.out.note(`a caller needs a key with ${route.permission}: leanvibe keys create NAME --role operator`)
    return 0
  })
}

/** Changes what the options name, or puts all of a file in the place of what is there. */
async function setRoute(context: CliContext, options: GatewayCliOptions): Promise<number> {
  const params = { id: need(options, 'id', options.id) }
  return withConnection(context, quiet(options), async ({ client }) => {
    const { id, rev, createdAt, updatedAt, ...present } = await client.call(showGatewayRoute, { params })
    const body =
      options.file === undefined
        ? await routeFromOptions(context, options, present)
        : await routeFromOptions(context, options)
    const route = await client.call(changeGatewayRoute, { params, body })
    context.out.document(route)
    context.out.lines(`${route.name} is at revision ${route.rev}`)
    return 0
  })
}

async function setEnabled(context: CliContext, options: GatewayCliOptions, enabled: boolean): Promise<number> {
  const params = { id: need(options, 'id', options.id) }
  return withConnection(context, quiet(options), async ({ client }) => {
    const { id, rev, createdAt, updatedAt, ...present } = await client.call(showGatewayRoute, { params })
    const route = await client.call(changeGatewayRoute, { params, body: { ...present, enabled } })
    context.out.document(route)
    context.out.lines(`${route.name} is ${enabled ? 'on' : 'off'}`)
    return 0
  })
}

async function removeRoute(context: CliContext, options: GatewayCliOptions): Promise<number> {
  const id = need(options, 'id', options.id)
  return withConnection(context, quiet(options), async ({ client }) => {
    await client.call(removeGatewayRoute, { params: { id } })
    context.out.document({ removed: id })
    context.out.lines(`${id} is removed`)
    return 0
  })
}

/** The keys of the tenant, and which of its routes each may call. */
async function keys(context: CliContext, options: GatewayCliOptions): Promise<number> {
  const { out } = context
  return withConnection(context, quiet(options), async ({ client }) => {
    const { items: all } = await client.call(listGatewayRoutes)
    const { items } = await client.call(listKeys, { query: { state: 'active', limit: 200 } })
    const rows = items.map((key) => {
      const lists = [permissionsOfRole[key.role], ...(key.scopes === null ? [] : [key.scopes])]
      const open = all.filter(({ permission }) => lists.every((list) => holds(list, permission)))
      return { key, routes: open.map(({ name }) => name) }
    })
    for (const { key, routes: open } of rows) {
      out.document({
        id: key.id,
        prefix: key.prefix,
        name: key.name,
        role: key.role,
        lastUsedAt: key.lastUsedAt,
        routes: open,
      })
    }
    if (rows.length === 0) out.lines('no key yet; make one: leanvibe keys create NAME --role operator')
    else
      out.lines(
        ...table(
          rows.map(({ key, routes: open }) => [
            key.prefix,
            oneLine(key.name, 40),
            key.role,
            key.lastUsedAt === null ? 'never used' : `used ${key.lastUsedAt.slice(0, 16).replace('T', ' ')}`,
            all.length > 0 && open.length === all.length ? 'all routes' : open.join(',') || 'no route',
          ]),
        ),
      )
    return 0
  })
}

async function stats(context: CliContext, options: GatewayCliOptions): Promise<number> {
  const { out } = context
  return withConnection(context, quiet(options), async ({ client }) => {
    const { items, replica } = await client.call(showGatewayStats, { query: { route: options.id } })
    for (const item of items) out.document({ replica, ...item })
    if (items.length === 0) out.lines('no managed route is live')
    else out.lines(...items.flatMap(linesOf))
    return 0
  })
}

function linesOf(figures: RouteFigures): string[] {
  const { answers, latencyMs, upstreams } = figures
  const ms = (value: number | null) => (value === null ? '-' : `${value} ms`)
  return [
    `${figures.name}  ${figures.requests} requests, ${figures.active} under way, ${figures.retries} retries, ` +
      `${figures.rateLimited} over the rate`,
    ...table([
      [
        '  answers',
        Object.entries(answers)
          .map(([kind, count]) => `${kind} ${count}`)
          .join('  '),
      ],
      ['  failed', `${figures.failed} by us, ${figures.aborted} broken off`],
      ['  latency', `p50 ${ms(latencyMs.p50)}  p95 ${ms(latencyMs.p95)}  p99 ${ms(latencyMs.p99)}`],
      ['  bytes', `${formatBytes(figures.bytesIn)} in, ${formatBytes(figures.bytesOut)} out`],
    ]),
    ...table(
      upstreams.map((upstream) => [
        `  ${upstream.target}/${upstream.name}`,
        `breaker ${upstream.breaker}`,
        upstream.health,
        `${upstream.requests} requests, ${upstream.failures} failures`,
        oneLine(upstream.lastError === null ? upstream.url : `last failure: ${upstream.lastError}`, 100),
      ]),
    ),
  ]
}
