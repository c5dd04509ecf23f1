import type { Database } from '../foundation/platform/database/database.ts'
import type { Route } from '../foundation/platform/http/route.ts'
import type { Loop } from '../foundation/runtime/loop.ts'
import { readEndedRuns } from '../orchestration/runs/ended-runs.ts'
import type { RepoAt } from '../orchestration/runs/runs-service.ts'
import type { ScheduledRuns } from '../orchestration/schedules/fire-schedule.ts'
import { startSchedules } from '../orchestration/schedules/schedules-jobs.ts'
import { scheduleRoutes } from '../orchestration/schedules/schedules-routes.ts'
import { SchedulesService } from '../orchestration/schedules/schedules-service.ts'
import type { Orchestration } from './orchestration.ts'

export interface OperationsOptions {
  readonly database: Database
  readonly orchestration: Orchestration
  readonly repoAt: (path: string) => Promise<RepoAt>
  /** Most tasks at a time of runs that do not say. */
  readonly parallel: number | null
  readonly onError: (error: unknown) => void
}

/** What keeps a fleet going by itself: schedules. */
export interface Operations {
  readonly routes: readonly Route[]
  /** Starts the loops that change things; the caller stops them. */
  start(): readonly Loop[]
}

export function createOperations(options: OperationsOptions): Operations {
  const { database, orchestration, repoAt, parallel, onError } = options
  const { catalog, dispatch } = orchestration
  const schedules = new SchedulesService({ database, catalog, repoAt, parallel })
  const runs = scheduledRunsOf(orchestration)
  return {
    routes: scheduleRoutes(schedules),
    start: () => [startSchedules(database, { runs, endedRuns: readEndedRuns, repoAt, dispatch, onError })],
  }
}

export function scheduledRunsOf({ catalog, starter, steering }: Orchestration): ScheduledRuns {
  return {
    async start(tx, tenant, start, now) {
      const { definition, version } = await catalog.store(tx, tenant, start.what, now)
      const inputs = catalog.resolveInputs(definition, start.inputs)
      return starter.begin(tx, { tenant, definition, version, from: { ...start, inputs } }, now)
    },
    cancel: (tx, refs, reason, now) => steering.cancelOpen(tx, refs, reason, now),
  }
}
