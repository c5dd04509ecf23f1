import type { JsonValue } from '../../foundation/kernel/json.ts'
import type { Path } from './problem.ts'
import type { GateCheck, MappedStep, Step, StepOf, WorkflowDefinition } from './workflow-contract.ts'

/** One place of a definition that may hold CEL, and what it may hold there. */
export interface ExpressionSite {
  readonly path: Path
  readonly text: string
  /** `template`: text with `${{ }}`; `expression`: bare CEL. */
  readonly mode: 'template' | 'expression'
  readonly result: 'any' | 'boolean' | 'list'
  /** The step it belongs to, null for the workflow itself. */
  readonly stepId: string | null
  /** The names of the context that it can read. */
  readonly names: readonly string[]
  /** Whether `${{ secrets.NAME }}` may stand here, alone. */
  readonly secrets: boolean
}

/** The parts of a definition that hold expressions; steps that could not be read are left out. */
export type Expressive = Pick<WorkflowDefinition, 'env' | 'concurrency' | 'steps' | 'finally' | 'outputs' | 'onEnd'>

const early = ['inputs', 'run', 'repo'] as const
const full = [...early, 'steps', 'env'] as const

/** The default name of the item of a map. */
export const defaultItemName = 'item'

interface Scope {
  readonly stepId: string | null
  readonly names: readonly string[]
}

/** Every place of a definition that may hold CEL. */
export function* expressionSites(workflow: Expressive): Generator<ExpressionSite> {
  const own: Scope = { stepId: null, names: full }
  yield* texts(workflow.env, ['env'], { stepId: null, names: early }, true)
  if (workflow.concurrency) {
    yield text(workflow.concurrency.key, ['concurrency', 'key'], { stepId: null, names: early })
  }
  for (const part of ['steps', 'finally'] as const) {
    for (const [id, step] of Object.entries(workflow[part]))
      yield* stepSites(step, [part, id], { stepId: id, names: full })
  }
  yield* json(workflow.outputs, ['outputs'], own)
  yield* texts(workflow.onEnd, ['onEnd'], own)
}

function* stepSites(step: Step, path: Path, scope: Scope): Generator<ExpressionSite> {
  if (step.if !== undefined) yield condition(step.if, [...path, 'if'], scope)
  switch (step.kind) {
    case 'map': {
      const { over, as = defaultItemName, step: inner } = step.map
      if (typeof over === 'string') yield { ...text(over, [...path, 'map', 'over'], scope), result: 'list' }
      else yield* json(over, [...path, 'map', 'over'], scope)
      yield* workSites(inner, [...path, 'map', 'step'], { ...scope, names: [...scope.names, as, 'index'] })
      return
    }
    case 'approval':
      yield text(step.approval.message, [...path, 'approval', 'message'], scope)
      for (const name of ['agent', 'reviewer'] as const) {
        const share = step.approval.confidence?.[name]
        if (share !== undefined) yield text(share, [...path, 'approval', 'confidence', name], scope)
      }
      return
    case 'gate':
      yield* texts(step.env, [...path, 'env'], scope, true)
      yield* placementSites(step, path, scope)
      if (step.base !== undefined) yield text(step.base, [...path, 'base'], scope)
      yield* checkSites(step.gate.checks, [...path, 'gate', 'checks'], scope)
      return
    case 'wait':
      if ('event' in step.wait && step.wait.match !== undefined) {
        yield condition(step.wait.match, [...path, 'wait', 'match'], { ...scope, names: [...scope.names, 'event'] })
      }
      return
    default:
      yield* workSites(step, path, scope)
  }
}

function* workSites(step: MappedStep, path: Path, scope: Scope): Generator<ExpressionSite> {
  if (path.at(-1) === 'step' && step.if !== undefined) yield condition(step.if, [...path, 'if'], scope)
  if ('concurrency' in step && step.concurrency)
    yield text(step.concurrency.key, [...path, 'concurrency', 'key'], scope)
  switch (step.kind) {
    case 'workflow':
      yield* json(step.workflow.inputs ?? {}, [...path, 'workflow', 'inputs'], scope)
      return
    case 'command':
      yield* texts(step.command, [...path, 'command'], scope)
      if (step.stdin !== undefined) yield text(step.stdin, [...path, 'stdin'], scope)
      break
    case 'agent':
      yield text(step.agent.prompt, [...path, 'agent', 'prompt'], scope)
      if (step.agent.persona !== undefined) yield text(step.agent.persona, [...path, 'agent', 'persona'], scope)
      yield* texts(step.agent.config, [...path, 'agent', 'config'], scope, true)
      break
    case 'merge':
      for (const name of ['commit', 'into', 'message'] as const) {
        const value = step.merge[name]
        if (value !== undefined) yield text(value, [...path, 'merge', name], scope)
      }
      yield* checkSites(step.merge.checks ?? [], [...path, 'merge', 'checks'], scope)
      break
    case 'script':
      break
  }
  if ('base' in step && step.base !== undefined) yield text(step.base, [...path, 'base'], scope)
  if ('paths' in step && step.paths !== undefined) {
    if (typeof step.paths === 'string') yield text(step.paths, [...path, 'paths'], scope)
    else yield* texts(step.paths, [...path, 'paths'], scope)
  }
  yield* placementSites(step, path, scope)
  yield* texts(step.env, [...path, 'env'], scope, true)
}

function* checkSites(checks: readonly GateCheck[], path: Path, scope: Scope): Generator<ExpressionSite> {
  for (const [index, check] of checks.entries()) {
    const at = [...path, index]
    if ('condition' in check) {
      yield condition(check.condition, [...at, 'condition'], scope)
      if (check.summary !== undefined) yield text(check.summary, [...at, 'summary'], scope)
    }
    if ('command' in check) yield* texts(check.command, [...at, 'command'], scope)
    if (!('check' in check)) continue
    yield* texts(check.setup, [...at, 'setup'], scope)
    for (const name of ['agent', 'reviewer'] as const) {
      const value = check[name]
      if (value !== undefined) yield text(value, [...at, name], scope)
    }
  }
}

function* placementSites(
  step: Pick<StepOf<'command'>, 'affinity' | 'anti-affinity'>,
  path: Path,
  scope: Scope,
): Generator<ExpressionSite> {
  for (const name of ['affinity', 'anti-affinity'] as const) {
    const key = step[name]?.key
    if (key !== undefined) yield text(key, [...path, name, 'key'], scope)
  }
}

function condition(source: string, path: Path, scope: Scope): ExpressionSite {
  return { path, text: source, mode: 'expression', result: 'boolean', secrets: false, ...scope }
}

function text(value: string, path: Path, scope: Scope, secrets = false): ExpressionSite {
  return { path, text: value, mode: 'template', result: 'any', secrets, ...scope }
}

function* texts(
  values: readonly string[] | Readonly<Record<string, string>> | undefined,
  path: Path,
  scope: Scope,
  secrets = false,
): Generator<ExpressionSite> {
  const isList = Array.isArray(values)
  for (const [key, value] of Object.entries(values ?? {})) {
    yield text(value, [...path, isList ? Number(key) : key], scope, secrets)
  }
}

function* json(value: JsonValue, path: Path, scope: Scope): Generator<ExpressionSite> {
  if (typeof value === 'string') yield text(value, path, scope)
  else if (Array.isArray(value))
    for (const [index, inner] of value.entries()) yield* json(inner, [...path, index], scope)
  else if (value !== null && typeof value === 'object') {
    for (const [key, inner] of Object.entries(value)) yield* json(inner as JsonValue, [...path, key], scope)
  }
}
