import { parseDocument } from 'yaml'
import { isAppError } from '../../foundation/kernel/errors.ts'
import { parseWorkflow } from './parse-workflow.ts'
import type { WorkflowDefinition } from './workflow-contract.ts'
import type { WorkflowDetail, WorkflowSummary } from './workflow-endpoints-contract.ts'

/** The text of a workflow, and where it was found. */
export interface FoundWorkflow {
  readonly name: string
  readonly origin: WorkflowSummary['origin']
  readonly text: string
  readonly file: string
}

type Described = Pick<WorkflowSummary, 'description' | 'steps'>

/** What was read of texts that are listed again and again: reading one takes milliseconds. */
const described = new Map<string, Described>()
const mostDescribed = 500

/** A file that does not parse is still listed, so that its author finds it; what is wrong with it is for `validate`. */
export function toSummary(found: FoundWorkflow, version: number | null): WorkflowSummary {
  const { name, origin } = found
  return { name, origin, version, ...describe(found) }
}

function describe({ text, file }: FoundWorkflow): Described {
  const known = described.get(text)
  if (known !== undefined) return known
  const made = readDescription(text, file)
  if (described.size >= mostDescribed) described.delete(described.keys().next().value!)
  described.set(text, made)
  return made
}

function readDescription(text: string, file: string): Described {
  try {
    const { definition } = parseWorkflow(text, file)
    return { description: definition.description ?? null, steps: countSteps(definition) }
  } catch (error) {
    if (!isAppError(error, 'workflow-invalid')) throw error
    const description: unknown = parseDocument(text).get('description')
    return { description: typeof description === 'string' ? description : null, steps: 0 }
  }
}

/** Throws `workflow-invalid`. */
export function toDetail(found: FoundWorkflow, version: number | null): WorkflowDetail {
  const { definition } = parseWorkflow(found.text, found.file)
  const nodes = (steps: WorkflowDefinition['steps'], last: boolean) =>
    Object.entries(steps).map(([id, step]) => ({ id, kind: step.kind, needs: [...step.needs], finally: last }))
  return {
    ...toSummary(found, version),
    source: found.text,
    inputs: Object.entries(definition.inputs).map(([name, input]) => ({
      name,
      type: input.type,
      required: input.required ?? input.default === undefined,
      ...(input.default === undefined ? {} : { default: input.default as never }),
      description: input.description ?? null,
    })),
    graph: [...nodes(definition.steps, false), ...nodes(definition.finally, true)],
  }
}

export function countSteps(definition: WorkflowDefinition): number {
  return Object.keys(definition.steps).length + Object.keys(definition.finally).length
}
