import { type Route, route } from '../../foundation/platform/http/route.ts'
import { explainScaling, removePoolPolicy, scalePool, scalingHistory, setPoolPolicy } from './scaling-contract.ts'
import type { ScalingService } from './scaling-service.ts'

export function scalingRoutes(scaling: ScalingService): Route[] {
  return [
    route({
      ...scalingHistory,
      permission: 'pools:read',
      handle: async ({ query, principal }) => ({
        items: [...(await scaling.history(principal.tenant, query.pool ?? null, query.limit))],
      }),
    }),
    route({
      ...explainScaling,
      permission: 'pools:read',
      handle: async ({ query, principal }) => ({ items: await scaling.explain(principal.tenant, query.pool ?? null) }),
    }),
    route({
      ...setPoolPolicy,
      permission: 'pools:write',
      handle: async ({ params, body, principal }) => ({
        pool: params.name,
        policy: await scaling.setPolicy(principal.tenant, params.name, body, principal.id),
      }),
    }),
    route({
      ...removePoolPolicy,
      permission: 'pools:write',
      handle: ({ params, principal }) => scaling.removePolicy(principal.tenant, params.name, principal.id),
    }),
    route({
      ...scalePool,
      permission: 'pools:write',
      handle: ({ params, body, principal }) => scaling.scale(principal.tenant, params.name, body.agents, principal.id),
    }),
  ]
}
