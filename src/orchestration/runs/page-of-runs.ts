import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import { type PagePlace, parsePlace, toPage } from '../../foundation/platform/http/page.ts'
import { runsUnder } from './runs-under.ts'

/** Of one tree. */
const mostRuns = 1_000

export interface RunsPageQuery {
  /** With the runs that it called; absent: of all runs. */
  readonly run?: string | undefined
  readonly limit: number
  readonly after?: string | undefined
}

/** What a page holds, and one row more. */
export interface RunsPageFilter {
  readonly runs: readonly RunId[] | undefined
  readonly before: PagePlace | null
  readonly limit: number
}

/** Reads a page of what belongs to a run and to those that it called, newest first. @throws page-invalid */
export type PageOfRuns = <Item extends { readonly id: string }>(
  tenant: TenantId,
  query: RunsPageQuery,
  read: (tx: ReadTx, filter: RunsPageFilter) => Promise<readonly Item[]>,
  atOf: (item: Item) => string | Date,
) => Promise<{ items: Item[]; next: string | null }>

export function createPageOfRuns(database: Database): PageOfRuns {
  return async (tenant, { run, limit, after }, read, atOf) => {
    const before = parsePlace(after)
    const rows = await database.forTenant(tenant).read(async (tx) => {
      const runs = run === undefined ? undefined : await runsUnder(tx, tenant, run as RunId, mostRuns)
      return read(tx, { runs, before, limit: limit + 1 })
    })
    return toPage(rows, limit, atOf)
  }
}
