import type { RunId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import type { StepGraph } from '../workflows/graph.ts'
import type { WorkflowDefinition } from '../workflows/workflow-contract.ts'
import { stepsToKeep } from './inherit-steps.ts'
import { runErrors } from './run-errors.ts'
import type { RunRow } from './run-rows.ts'
import { snapshotRun } from './run-snapshots.ts'
import type { RunsService } from './runs-service.ts'
import { isRunEnded } from './states-contract.ts'
import type { WorkflowCatalog } from './workflow-catalog.ts'

export interface Retry {
  readonly source: RunRow
  /** Repeat this step and what depends on it; null: what did not end well, and what depends on that. */
  readonly from: string | null
  /** Of the new run. Default: a new one. */
  readonly id?: RunId | undefined
  /** Who wants it again. */
  readonly requestedBy?: string
  readonly runs: RunsService
  readonly catalog: WorkflowCatalog
  readonly graphOf: (definition: WorkflowDefinition) => StepGraph
}

/** Starts a run that repeats part of an ended one and takes over the rest. `finally` steps are always done again. */
export async function retryFrom(tx: Tx, retry: Retry, now: Date) {
  const { source, from, id, runs, catalog, requestedBy } = retry
  const definition = await catalog.read(tx, source.tenant, source.workflow, source.version)
  runs.requireStep(definition, from)
  const snapshot = await snapshotRun(tx, { tenant: source.tenant, runId: source.id }, async () => [])
  if (snapshot === null) throw runErrors['run-not-found'](`there is no run ${source.id}`)
  if (!isRunEnded(snapshot.run.state)) throw runErrors['run-not-ended'](`run ${source.id} is ${snapshot.run.state}`)
  const again = new Set([...Object.keys(definition.finally), ...(from === null ? [] : [from])])
  const steps = stepsToKeep(snapshot.document.steps, retry.graphOf(definition), again)
  return runs.startFrom(tx, snapshot.run, { origin: { kind: 'retry', id: source.id }, steps }, now, id, requestedBy)
}
