import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { callersOf, findRun } from './runs-store.ts'
import { runsUnder } from './runs-under.ts'

/** A family of more runs than these is told in part. */
const most = 1_000

/** A run, those that called it, and all that any of them called: they hand commits and files to each other. */
export async function familyOfRun(tx: ReadTx, tenant: TenantId, id: RunId): Promise<readonly RunId[]> {
  const run = await findRun(tx, tenant, id)
  if (run === null) return []
  const callers = await callersOf(tx, run)
  const first = (callers.at(-1)?.id ?? id) as RunId
  return [
    ...new Set([id, ...callers.map((caller) => caller.id as RunId), ...(await runsUnder(tx, tenant, first, most))]),
  ]
}
