import type { JsonObject } from '../../foundation/kernel/json.ts'
import type { StepGraph } from '../workflows/graph.ts'
import type { endedTaskStates } from './states-contract.ts'

/** A step as it stood in another run. */
export interface FormerStep {
  readonly step: string
  readonly state: string
  readonly byCondition: boolean
  readonly outputs: JsonObject
}

/** As it stood in a run that has ended. */
export interface EndedStep extends FormerStep {
  readonly state: KeptStep['state']
}

export interface KeptStep {
  readonly state: (typeof endedTaskStates)[number]
  readonly byCondition: boolean
  readonly outputs: JsonObject
}

/** Which steps a new run may take over: those that ended well, unless they are to be done again or need one that is. */
export function stepsToKeep(
  former: readonly FormerStep[],
  graph: StepGraph,
  again: ReadonlySet<string>,
): ReadonlyMap<string, KeptStep> {
  const endedWell = (step: FormerStep) => step.state === 'succeeded' || (step.state === 'skipped' && step.byCondition)
  const redo = new Set(again)
  for (const step of former) if (!endedWell(step)) redo.add(step.step)
  for (const id of [...redo]) if (graph.ids.includes(id)) for (const next of graph.descendants(id)) redo.add(next)
  return new Map(
    former
      .filter((step) => !redo.has(step.step) && graph.ids.includes(step.step))
      .map((step) => [
        step.step,
        { state: step.state as KeptStep['state'], byCondition: step.byCondition, outputs: step.outputs },
      ]),
  )
}

/** All steps of an ended run as they ended, but those that are done again and what depends on them. */
export function stepsBeside(
  former: readonly EndedStep[],
  graph: StepGraph,
  again: ReadonlySet<string>,
): ReadonlyMap<string, KeptStep> {
  const redo = new Set(again)
  for (const id of again) if (graph.ids.includes(id)) for (const next of graph.descendants(id)) redo.add(next)
  return new Map(
    former
      .filter(({ step }) => !redo.has(step) && graph.ids.includes(step))
      .map(({ step, state, byCondition, outputs }) => [step, { state, byCondition, outputs }]),
  )
}
