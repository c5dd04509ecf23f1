import type { ASTNode } from '@marcbachmann/cel-js'
import { parseCel } from './cel.ts'
import { walkFreeNames } from './cel-ast.ts'
import { expressionSites } from './expression-sites.ts'
import { sourcesIn } from './referenced-steps.ts'
import type { WorkflowDefinition } from './workflow-contract.ts'

/**
 * The steps that cannot do without a repository, because they want a worktree or use what `repo` says; in the order of
 * the definition. None where some expression asks whether there is one: then the workflow knows how to do without.
 */
export function stepsThatNeedRepository(definition: WorkflowDefinition): readonly string[] {
  const users = new Set<string>()
  let asks = false
  for (const site of expressionSites(definition)) {
    for (const source of sourcesIn(site)) {
      walkFreeNames(parseCel(source), (node, parents) => {
        if (node.args !== 'repo') return
        if (parents.some(isQuestion)) asks = true
        users.add(site.stepId ?? '')
      })
    }
  }
  if (asks) return []
  const usual = definition.defaults?.workspace
  const steps = Object.entries({ ...definition.steps, ...definition.finally })
  return steps.flatMap(([id, step]) => {
    const work = step.kind === 'map' ? step.map.step : step
    if (work.kind === 'merge' || (work.kind === 'gate' && work.gate.checks.some((check) => 'check' in check)))
      return [id]
    const workspace =
      ('workspace' in work ? work.workspace : undefined) ?? ('pool' in work || isWork(work.kind) ? usual : undefined)
    return users.has(id) || workspace === 'worktree' ? [id] : []
  })
}

function isWork(kind: string): boolean {
  return kind === 'command' || kind === 'script' || kind === 'agent' || kind === 'gate'
}

function isQuestion({ op, args }: ASTNode): boolean {
  return op === '==' || op === '!=' || ((op === 'call' || op === 'rcall') && (args[0] === 'size' || args[0] === 'has'))
}
