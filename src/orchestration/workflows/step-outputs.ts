import type { MappedStep, Step } from './workflow-contract.ts'

/** The names of what a step puts out; null where only the run can tell. */
export function outputsOf(step: Step | MappedStep): readonly string[] | null {
  switch (step.kind) {
    case 'map':
      return outputsOf(step.map.step)
    case 'approval':
      return ['decision', 'by', 'comment']
    case 'gate':
      return ['verdict', 'failed', 'by', 'comment']
    case 'wait':
      return 'event' in step.wait ? ['event'] : []
    case 'workflow':
      return null
    default:
      return Object.keys(step.outputs ?? {})
  }
}
