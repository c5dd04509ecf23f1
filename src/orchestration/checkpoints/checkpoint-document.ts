import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { StepGraph } from '../workflows/graph.ts'

/** What a checkpoint keeps: enough to start a run that goes on from here, even if the original is gone. */
export interface CheckpointDocument {
  readonly format: 1
  readonly run: {
    readonly id: string
    readonly workflow: string
    readonly version: number
    readonly state: string
    readonly inputs: JsonObject
    readonly repo: { readonly path: string; readonly commit: string | null; readonly branch: string | null } | null
    readonly priority: number | null
    readonly parallel: number | null
    readonly labels: Readonly<Record<string, string>>
  }
  /** In the order of the definition. */
  readonly steps: readonly CheckpointStep[]
  readonly artifacts: readonly { readonly id: string; readonly step: string; readonly name: string; readonly bytes: number; readonly sha256: string; readonly blob: string }[]
}

export interface CheckpointStep {
  readonly step: string
  readonly state: string
  readonly byCondition: boolean
  readonly outputs: JsonObject
  /** Commit its workspace was left at. */
  readonly workspaceCommit: string | null
}

/** Which ended steps a new run may take over: those that ended well and, in a fork, do not come after `from`. */
export function stepsToKeep(
  document: CheckpointDocument,
  graph: StepGraph,
  again: ReadonlySet<string>,
): ReadonlyMap<string, { readonly outputs: JsonObject; readonly byCondition: boolean; readonly state: 'succeeded' | 'skipped' }> {
  const redone = new Set(again)
  for (const id of again) for (const next of graph.descendants(id)) redone.add(next)
  const kept = new Map<string, { outputs: JsonObject; byCondition: boolean; state: 'succeeded' | 'skipped' }>()
  for (const step of document.steps) {
    const well = step.state === 'succeeded' || (step.state === 'skipped' && step.byCondition)
    if (!well || redone.has(step.step) || !graph.ids.includes(step.step)) continue
    kept.set(step.step, { outputs: step.outputs, byCondition: step.byCondition, state: step.state as 'succeeded' | 'skipped' })
  }
  return kept
}
