import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { type LogLine, runLogs } from '../../orchestration/runs/run-endpoints-contract.ts'
import { followLogs } from './follow-logs.ts'

/** What logs need to know of runs; the context provides it. */
export interface LoggedRuns {
  /** Whether the run has ended, and its steps by position. Throws `run-not-found`. */
  look(
    tx: ReadTx,
    tenant: TenantId,
    runId: string,
  ): Promise<{ readonly ended: boolean; readonly steps: ReadonlyMap<number, string> }>
  /** The common beginning of the ids of a step's tasks. */
  taskPrefixOf(runId: string, position: number): string
  /** Position of the step and index in its map, of a task. */
  placeOf(taskId: string): { readonly position: number; readonly item: number | null }
}

export function logRoutes(database: Database, runs: LoggedRuns): Route[] {
  return [
    route({
      ...runLogs,
      permission: 'runs:read',
      handle: async ({ params, query, principal, signal }) => {
        const { tenant } = principal
        const { steps } = await database.forTenant(tenant).read((tx) => runs.look(tx, tenant, params.id))
        const position = query.step === undefined ? null : [...steps].find(([, name]) => name === query.step)?.[0]
        return (async function* (): AsyncGenerator<LogLine> {
          if (position === undefined) return
          const stepPrefix = position === null ? null : runs.taskPrefixOf(params.id, position)
          const pieces = followLogs(database, {
            filter: { tenant, runId: params.id as RunId, taskPrefix: query.task ?? stepPrefix },
            isOver: async (tx) => !query.follow || (await runs.look(tx, tenant, params.id)).ended,
            signal,
          })
          for await (const { taskId, stream, at, text } of pieces) {
            const place = runs.placeOf(taskId)
            if (position !== null && place.position !== position) continue
            yield {
              at: at.toISOString(),
              taskId,
              step: steps.get(place.position) ?? '',
              item: place.item,
              stream,
              text,
            }
          }
        })()
      },
    }),
  ]
}
