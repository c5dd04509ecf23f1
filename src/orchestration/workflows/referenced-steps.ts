import { parseCel } from './cel.ts'
import { keyAfter, walkFreeNames } from './cel-ast.ts'
import { type ExpressionSite, expressionSites } from './expression-sites.ts'
import { secretIn } from './expressions.ts'
import { parseTemplate } from './template.ts'
import type { WorkflowDefinition } from './workflow-contract.ts'

const known = new WeakMap<WorkflowDefinition, ReadonlyMap<string | null, ReadonlySet<string>>>()

/** The steps whose state, outputs or error the expressions of `stepId` read (null: the outputs of the run and `onEnd`). */
export function referencedSteps(definition: WorkflowDefinition, stepId: string | null): ReadonlySet<string> {
  const references = known.get(definition) ?? referencesOf(definition)
  known.set(definition, references)
  return references.get(stepId) ?? new Set()
}

function referencesOf(workflow: WorkflowDefinition): ReadonlyMap<string | null, ReadonlySet<string>> {
  const found = new Map<string | null, Set<string>>()
  for (const site of expressionSites(workflow)) {
    for (const source of sourcesIn(site)) {
      walkFreeNames(parseCel(source), (node, parents) => {
        const id = node.args === 'steps' ? keyAfter(node, parents[0]) : null
        if (id === null) return
        const set = found.get(site.stepId) ?? new Set()
        found.set(site.stepId, set.add(id))
      })
    }
  }
  return found
}

/** The CEL that stands in a place. */
export function sourcesIn(site: ExpressionSite): readonly string[] {
  if (site.mode === 'expression') return [site.text]
  const parsed = parseTemplate(site.text)
  if (!parsed.ok || secretIn(site.text) !== null) return []
  return parsed.segments.flatMap((segment) => (segment.kind === 'expression' ? [segment.source] : []))
}
