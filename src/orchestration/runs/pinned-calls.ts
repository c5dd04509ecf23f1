import { isAppError } from '../../foundation/kernel/errors.ts'
import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { WorkflowDefinition } from '../workflows/workflow-contract.ts'
import type { RunRow } from './run-rows.ts'
import type { WorkflowCatalog } from './workflow-catalog.ts'

/** More workflows than this are not looked up ahead; those beyond are found when they are called. */
const mostCalled = 200

/**
 * Notes which versions of the workflows that a run calls, and of those that they call, are the present ones: they are what
 * it will run, whatever becomes of the files meanwhile. A run that repeats another one keeps the versions of that. What is
 * not found is left to the call, which says so.
 */
export async function pinCalls(
  tx: Tx,
  run: Pick<RunRow, 'tenant' | 'id'>,
  { definition, repeats }: { readonly definition: WorkflowDefinition; readonly repeats?: string },
  catalog: WorkflowCatalog,
  now: Date,
): Promise<void> {
  const open = calledBy(definition)
  if (open.length === 0 || (repeats !== undefined && (await copyPins(tx, run, repeats)))) return
  const versions = new Map<string, number>()
  const seen = new Set<string>()
  for (let name = open.shift(); name !== undefined && seen.size < mostCalled; name = open.shift()) {
    if (seen.has(name)) continue
    seen.add(name)
    const found = await catalog.store(tx, run.tenant, { name }, now).catch((error: unknown) => {
      // A definition that is missing or wrong: the call fails with the reason, if it is ever made.
      if (isAppError(error) && ['not-found', 'input'].includes(error.kind)) return null
      throw error
    })
    if (found === null) continue
    versions.set(name, found.version)
    open.push(...calledBy(found.definition))
  }
  if (versions.size === 0) return
  await tx.execute(sql`
    insert into run_calls (tenant_id, run_id, workflow, version)
    select ${run.tenant}, ${run.id}, * from unnest(${[...versions.keys()]}::text[], ${[...versions.values()]}::int[])`)
}

/** The version of a workflow that the run at the top of all calls began with; null: none was found then. */
export async function pinnedVersion(
  tx: ReadTx,
  tenant: TenantId,
  topRun: string,
  workflow: string,
): Promise<number | null> {
  const [row] = await tx.query<{ version: number }>(sql`
    select version from run_calls where tenant_id = ${tenant} and run_id = ${topRun} and workflow = ${workflow}`)
  return row?.version ?? null
}

async function copyPins(tx: Tx, { tenant, id }: Pick<RunRow, 'tenant' | 'id'>, from: string): Promise<boolean> {
  const copied = await tx.execute(sql`
    insert into run_calls (tenant_id, run_id, workflow, version)
    select tenant_id, ${id}, workflow, version from run_calls where tenant_id = ${tenant} and run_id = ${from}`)
  return copied > 0
}

/** Names of the workflows that a definition calls. */
export function calledBy({ steps, finally: last }: WorkflowDefinition): string[] {
  const all = [...Object.values(steps), ...Object.values(last ?? {})]
  return all.flatMap((step) => {
    const done = step.kind === 'map' ? step.map.step : step
    return done.kind === 'workflow' ? [done.workflow.name] : []
  })
}
