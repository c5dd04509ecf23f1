import type { TenantId } from '../../foundation/kernel/ids.ts'
import { parseWith } from '../../foundation/kernel/schema.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { parsePlace, toPage } from '../../foundation/platform/http/page.ts'
import type { Principal } from '../../foundation/platform/http/principal.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import type { TaskQueue } from '../coordinator/task-queue.ts'
import type { StepGraph } from '../workflows/graph.ts'
import type { WorkflowDefinition } from '../workflows/workflow-contract.ts'
import { retryFrom } from './retry-run.ts'
import { retryTask } from './retry-task.ts'
import {
  cancelRun,
  cancelTaskOfRun,
  listRuns,
  pauseRun,
  resumeRun,
  retryRun,
  retryTaskOfRun,
  showRun,
  startRun,
} from './run-endpoints-contract.ts'
import { runErrors } from './run-errors.ts'
import { type RepeatableStart, startOnce } from './run-of-request.ts'
import type { RunRow } from './run-rows.ts'
import { type DetailSources, readRunDetail, toRunView } from './run-views.ts'
import { startRunSchema } from './runs-contract.ts'
import type { RepoAt, RunsService } from './runs-service.ts'
import { findRun, listRunRows } from './runs-store.ts'
import type { WorkflowCatalog } from './workflow-catalog.ts'

export interface RunRoutesOptions {
  readonly database: Database
  readonly runs: RunsService
  readonly catalog: WorkflowCatalog
  readonly sources: DetailSources
  readonly graphOf: (definition: WorkflowDefinition) => StepGraph
  readonly queue: TaskQueue
  /** Looks a repository up; the place of the work is fixed when a run starts. Throws `not-a-repository`. */
  readonly repoAt: (path: string) => Promise<RepoAt>
  /** Most tasks at a time where the request does not say. */
  readonly parallel: number | null
}

export function runRoutes(options: RunRoutesOptions): Route[] {
  const { database, runs, catalog } = options
  const find = async (tenant: TenantId, id: string): Promise<RunRow> => {
    const run = await database.forTenant(tenant).read((tx) => findRun(tx, tenant, id))
    if (run === null) throw runErrors['run-not-found'](`there is no run ${id}`)
    return run
  }
  return [
    route({
      ...startRun,
      permission: 'runs:write',
      handle: async ({ body, principal, idempotencyKey }) => {
        const request = parseWith(startRunSchema, body, 'run')
        if ((request.workflow === undefined) === (request.source === undefined)) {
          throw runErrors['start-ambiguous']('a run is started by exactly one of workflow and source')
        }
        const repo = request.repo === undefined ? null : await options.repoAt(request.repo)
        const start = {
          what: request.source ?? { name: request.workflow! },
          inputs: request.inputs,
          repo,
          priority: request.priority ?? null,
          parallel: request.parallel ?? options.parallel,
          requestedBy: principal.id,
          labels: request.depth === undefined ? request.labels : { ...request.labels, depth: request.depth },
        }
        const run = await startOnce(database, repeatable(principal, idempotencyKey, { start: body }), (id) =>
          runs.start(principal.tenant, start, id),
        )
        return toRunView(run)
      },
    }),
    route({
      ...listRuns,
      permission: 'runs:read',
      handle: async ({ query, principal }) => {
        const { tenant } = principal
        const before = parsePlace(query.after)
        const rows = await database
          .forTenant(tenant)
          .read((tx) =>
            listRunRows(tx, tenant, { state: query.state, workflow: query.workflow, before, limit: query.limit + 1 }),
          )
        const page = toPage(rows, query.limit, (run) => run.createdAt)
        return { items: page.items.map(toRunView), next: page.next }
      },
    }),
    route({
      ...showRun,
      permission: 'runs:read',
      handle: async ({ params, principal }) => {
        const { tenant } = principal
        return database.forTenant(tenant).read(async (tx) => {
          const run = await findRun(tx, tenant, params.id)
          if (run === null) throw runErrors['run-not-found'](`there is no run ${params.id}`)
          const definition = await catalog.read(tx, tenant, run.workflow, run.version)
          return readRunDetail(tx, run, definition, options.sources)
        })
      },
    }),
    route({
      ...cancelRun,
      permission: 'runs:write',
      handle: async ({ params, body, principal }) =>
        toRunView(await runs.cancel(principal.tenant, params.id, body.reason ?? `cancelled by ${principal.id}`)),
    }),
    route({
      ...cancelTaskOfRun,
      permission: 'runs:write',
      handle: async ({ params: { id, task }, body, principal }) =>
        toRunView(await runs.cancelTask(principal.tenant, id, task, body.reason ?? `cancelled by ${principal.id}`)),
    }),
    route({
      ...retryTaskOfRun,
      permission: 'runs:write',
      handle: async ({ params, principal, idempotencyKey }) => {
        const source = await find(principal.tenant, params.id)
        const { graphOf, queue } = options
        const retry = { source, task: params.task, runs, catalog, graphOf, queue, requestedBy: principal.id }
        const request = repeatable(principal, idempotencyKey, { retry: params.id, task: params.task })
        return toRunView(
          await startOnce(database, request, (id) =>
            runs.write(principal.tenant, (tx, now) => retryTask(tx, { ...retry, id }, now)),
          ),
        )
      },
    }),
    route({
      ...pauseRun,
      permission: 'runs:write',
      handle: async ({ params, principal }) => toRunView(await runs.pause(principal.tenant, params.id)),
    }),
    route({
      ...resumeRun,
      permission: 'runs:write',
      handle: async ({ params, principal }) => toRunView(await runs.resume(principal.tenant, params.id)),
    }),
    route({
      ...retryRun,
      permission: 'runs:write',
      handle: async ({ params, body, principal, idempotencyKey }) => {
        const source = await find(principal.tenant, params.id)
        const { graphOf } = options
        const retry = { source, from: body.from ?? null, runs, catalog, graphOf, requestedBy: principal.id }
        const request = repeatable(principal, idempotencyKey, { retry: params.id, ...body })
        return toRunView(
          await startOnce(database, request, (id) =>
            runs.write(principal.tenant, (tx, now) => retryFrom(tx, { ...retry, id }, now)),
          ),
        )
      },
    }),
  ]
}

function repeatable(principal: Principal, key: string | null, content: unknown): RepeatableStart | null {
  return key === null ? null : { tenant: principal.tenant, caller: principal.key ?? principal.id, key, content }
}
