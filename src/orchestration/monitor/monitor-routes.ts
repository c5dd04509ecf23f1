import { mayUse } from '../../foundation/platform/http/principal.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { showMonitor } from './monitor-contract.ts'
import type { MonitorService } from './monitor-service.ts'

export function monitorRoutes(monitor: MonitorService): Route[] {
  return [
    route({
      ...showMonitor,
      permission: 'monitor:read',
      handle: ({ principal }) => monitor.show(principal.tenant, mayUse(principal, 'platform:read')),
    }),
  ]
}
