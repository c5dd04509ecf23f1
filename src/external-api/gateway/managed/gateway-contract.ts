import { z } from 'zod'
import { endpoint } from '../../../foundation/platform/http/endpoint-contract.ts'
import { writeGatewayRouteSchema } from './route-definition-contract.ts'
import { breakerStateSchema } from './upstreams/breaker-states-contract.ts'

/** Where managed routes begin: `/gateway/agents/7` is the path `/agents/7` of a route. */
export const gatewayPrefix = '/gateway'

const byId = z.object({ id: z.string().min(1).max(100) })

export const gatewayRouteSchema = writeGatewayRouteSchema.extend({
  id: z.string(),
  rev: z.int(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
})
export type GatewayRouteView = z.output<typeof gatewayRouteSchema>

/** Milliseconds, from the first byte of a request to the last of its answer; null where nothing was measured. */
const latencySchema = z.object({
  p50: z.number().nullable(),
  p95: z.number().nullable(),
  p99: z.number().nullable(),
})

export const upstreamFiguresSchema = z.object({
  target: z.string(),
  name: z.string(),
  url: z.string(),
  breaker: breakerStateSchema,
  /** By its health check; `unchecked` where it has none. */
  health: z.enum(['unchecked', 'unknown', 'healthy', 'unhealthy']),
  /** Requests on the way to it now. */
  active: z.int(),
  requests: z.int(),
  failures: z.int(),
  lastError: z.string().nullable(),
})

export const routeFiguresSchema = z.object({
  id: z.string(),
  name: z.string(),
  /** Since this process began, or since the route was made. */
  since: z.iso.datetime(),
  requests: z.int(),
  active: z.int(),
  /** Answers by the first digit of their status. */
  answers: z.object({ '1xx': z.int(), '2xx': z.int(), '3xx': z.int(), '4xx': z.int(), '5xx': z.int() }),
  /** Of the answers of 5xx, those that are our own: no upstream, a time limit, a broken connection. */
  failed: z.int(),
  /** Answers that broke off, on either side. */
  aborted: z.int(),
  rateLimited: z.int(),
  retries: z.int(),
  /** Retries that the budget did not allow. */
  retriesRefused: z.int(),
  upgrades: z.int(),
  bytesIn: z.int(),
  bytesOut: z.int(),
  latencyMs: latencySchema,
  upstreams: z.array(upstreamFiguresSchema),
})
export type RouteFigures = z.output<typeof routeFiguresSchema>

export const gatewayStatsSchema = z.object({
  /** Figures are those of one process: this one. */
  replica: z.string(),
  items: z.array(routeFiguresSchema),
})
export type GatewayStats = z.output<typeof gatewayStatsSchema>

export const gatewayStatusSchema = z.object({
  status: z.enum(['healthy', 'degraded', 'stopped']),
  serverRunning: z.boolean(),
  /** Registered routes, and those of them that are on. */
  routes: z.int(),
  enabledRoutes: z.int(),
  upstreams: z.int(),
  /** Upstreams that take no requests now. */
  upstreamsDown: z.int(),
  /** Of this process. */
  totalRequests: z.int(),
  active: z.int(),
  prefix: z.string(),
})
export type GatewayStatus = z.output<typeof gatewayStatusSchema>

const base = '/api/v1/gateway'

export const listGatewayRoutes = endpoint({
  method: 'GET',
  path: `${base}/routes`,
  summary: 'Lists the managed routes to upstream agents and services.',
  output: z.object({ items: z.array(gatewayRouteSchema) }),
})
export const createGatewayRoute = endpoint({
  revision: 'rev',
  method: 'POST',
  path: `${base}/routes`,
  summary: 'Makes a managed route; it is live with the answer, and within a moment in every replica.',
  body: writeGatewayRouteSchema,
  output: gatewayRouteSchema,
  status: 201,
})
export const showGatewayRoute = endpoint({
  revision: 'rev',
  method: 'GET',
  path: `${base}/routes/:id`,
  summary: 'Shows a managed route, by id or name.',
  params: byId,
  output: gatewayRouteSchema,
})
export const changeGatewayRoute = endpoint({
  revision: 'rev',
  method: 'PUT',
  path: `${base}/routes/:id`,
  summary: 'Replaces what a managed route says; requests under way end as they began.',
  params: byId,
  body: writeGatewayRouteSchema,
  output: gatewayRouteSchema,
})
export const removeGatewayRoute = endpoint({
  method: 'DELETE',
  path: `${base}/routes/:id`,
  summary: 'Removes a managed route; requests under way end as they began.',
  params: byId,
})
export const showGatewayStats = endpoint({
  method: 'GET',
  path: `${base}/stats`,
  summary: 'What was measured of each managed route by the process that answers.',
  query: z.object({ route: z.string().min(1).max(100).optional() }),
  output: gatewayStatsSchema,
})
export const showGateway = endpoint({
  method: 'GET',
  path: `${base}/status`,
  summary: 'What the gateway does at present.',
  output: gatewayStatusSchema,
})
export const startGateway = endpoint({
  method: 'POST',
  path: `${base}/start`,
  summary: 'Takes requests for managed routes (again).',
  output: gatewayStatusSchema,
})
export const stopGateway = endpoint({
  method: 'POST',
  path: `${base}/stop`,
  summary: 'Answers requests for managed routes with 503 until the gateway is started again.',
  output: gatewayStatusSchema,
})
