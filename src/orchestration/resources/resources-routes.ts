import { mayUse } from '../../foundation/platform/http/principal.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { optimizeResources, showResources } from './resources-contract.ts'
import type { ResourcesService } from './resources-service.ts'

export function resourceRoutes(resources: ResourcesService): Route[] {
  return [
    route({
      ...showResources,
      permission: 'resources:read',
      handle: ({ principal }) => resources.show(principal.tenant, mayUse(principal, 'platform:read')),
    }),
    route({
      ...optimizeResources,
      permission: 'resources:read',
      handle: ({ principal, query }) => resources.optimize(principal.tenant, query),
    }),
  ]
}
