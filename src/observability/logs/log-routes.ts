import { setTimeout as delay } from 'node:timers/promises'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { type LogLine, runLogs } from '../../orchestration/runs/run-endpoints-contract.ts'
import { type LogPlace, type LogRow, readLogs } from './log-store.ts'

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

const page = 500
const followMs = 300

export function logRoutes(database: Database, runs: LoggedRuns): Route[] {
  return [
    route({
      ...runLogs,
      permission: 'runs:read',
      handle: async ({ params, query, principal, signal }) => {
        const { tenant } = principal
        const scope = database.forTenant(tenant)
        const { steps } = await scope.read((tx) => runs.look(tx, tenant, params.id))
        const position = query.step === undefined ? undefined : [...steps].find(([, name]) => name === query.step)?.[0]
        const nothing = query.step !== undefined && position === undefined
        const taskPrefix = query.task ?? (position === undefined ? null : runs.taskPrefixOf(params.id, position))
        return (async function* (): AsyncGenerator<LogLine> {
          let after: LogPlace | null = null
          let names = steps
          while (!nothing && !signal.aborted) {
            const place: LogPlace | null = after
            const found: { ended: boolean; rows: readonly LogRow[] } = await scope.read(async (tx) => {
              const run = await runs.look(tx, tenant, params.id)
              names = run.steps
              return {
                ended: run.ended,
                rows: await readLogs(tx, { tenant, runId: params.id, taskPrefix, after: place, limit: page }),
              }
            })
            const { rows, ended } = found
            for (const row of rows) {
              const { position, item } = runs.placeOf(row.taskId)
              yield {
                at: row.at.toISOString(),
                taskId: row.taskId,
                step: names.get(position) ?? '',
                item,
                stream: row.stream,
                text: row.text,
              }
            }
            after = rows.at(-1) ?? after
            if (rows.length < page && (ended || !query.follow)) return
            if (rows.length < page) await delay(followMs, undefined, { signal }).catch(() => {})
          }
        })()
      },
    }),
  ]
}
