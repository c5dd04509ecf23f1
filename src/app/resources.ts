import type { Database } from '../foundation/platform/database/database.ts'
import type { Route } from '../foundation/platform/http/route.ts'
import { readAgentShapes } from '../orchestration/agents/agent-shapes.ts'
import { readTaskSpecs } from '../orchestration/coordinator/sql/read-task-specs.ts'
import { HostSampler } from '../orchestration/monitor/host-figures.ts'
import { resourceRoutes } from '../orchestration/resources/resources-routes.ts'
import { ResourcesService } from '../orchestration/resources/resources-service.ts'
import { readHeldLanes, readUsageOfSteps } from '../orchestration/runs/resource-figures.ts'

/** What looks at the resources of agents and machine. */
export function createResources(database: Database, dataFolder: string): { readonly routes: readonly Route[] } {
  const resources = new ResourcesService({
    database,
    host: new HostSampler(dataFolder),
    agentsOf: readAgentShapes,
    heldLanes: readHeldLanes,
    usageOfSteps: readUsageOfSteps,
    specsOf: readTaskSpecs,
  })
  return { routes: resourceRoutes(resources) }
}
