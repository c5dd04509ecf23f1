import type { MappedStep, Step, StepOf } from './workflow-contract.ts'

const mergeOutputs = [
  ...['state', 'merged', 'commit', 'into', 'target', 'candidate', 'conflict', 'files', 'failed', 'checks'],
]

/** Work in a worktree puts out the commit that it left, under `commit`, unless it puts out something else by that name. */
function mayCommit(step: StepOf<'command' | 'script' | 'agent'>): boolean {
  return step.workspace !== 'none' && !Object.hasOwn(step.outputs ?? {}, 'commit')
}

/** The names of what a step puts out; null where only the run can tell. */
export function outputsOf(step: Step | MappedStep): readonly string[] | null {
  switch (step.kind) {
    case 'map':
      return outputsOf(step.map.step)
    case 'approval':
      return ['decision', 'by', 'comment', 'choice', 'text']
    case 'gate':
      return ['verdict', 'failed', 'by', 'comment', 'checks']
    case 'merge':
      return mergeOutputs
    case 'wait':
      return 'event' in step.wait ? ['event'] : []
    case 'workflow':
      return null
    default:
      return [...Object.keys(step.outputs ?? {}), ...(mayCommit(step) ? ['commit'] : [])]
  }
}
