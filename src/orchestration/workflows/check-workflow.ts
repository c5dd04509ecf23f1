import { checkInputs, checkNeeds, checkSteps } from './check-definition.ts'
import { checkExpressions } from './check-expressions.ts'
import { buildGraph, type GraphNode } from './graph.ts'
import type { Path, ProblemLog } from './problem.ts'
import { parsePart } from './schema-problems.ts'
import { findSecretsInClear } from './secrets-in-clear.ts'
import { isRecord, kindOfStep } from './step-kind.ts'
import { stepSchema } from './steps-contract.ts'
import {
  type MappedStep,
  type Step,
  type StepKind,
  type WorkflowDefinition,
  workflowLimits,
  workflowSchema,
} from './workflow-contract.ts'

const header = workflowSchema.omit({ steps: true, finally: true })
const mappedKinds: readonly StepKind[] = [
  'command',
  'script',
  'agent',
  'merge',
  'workflow',
] satisfies MappedStep['kind'][]

/** Checks untrusted data as a definition, and finds as many problems in one go as it can. Null where anything is wrong. */
export function checkDefinition(value: unknown, log: ProblemLog): WorkflowDefinition | null {
  if (!isRecord(value)) {
    log.report([], 'the file holds no workflow', { expected: 'a map with name and steps' })
    return null
  }
  refuseOddities(value, [], log)
  if (log.problems.length > 0) return null
  findSecretsInClear(value, log)
  const { steps: rawSteps, finally: rawFinally, ...rest } = value
  const head = parsePart(header, { ...rest, ...refuseSecretInputs(rest.inputs, log) }, [], log)
  const steps = readSteps(rawSteps, 'steps', log)
  const last = rawFinally === undefined ? emptySteps : readSteps(rawFinally, 'finally', log)
  checkCounts(steps, last, log)

  const sound = checkNeeds(steps.nodes, 'steps', last.ids, log)
  const lastSound = checkNeeds(last.nodes, 'finally', steps.ids, log)
  const readable = head ?? { ...readableHead(rest), name: '' }
  const workflow: WorkflowDefinition = { ...readable, steps: steps.read, finally: last.read }
  checkInputs(workflow.inputs, log)
  checkSteps(workflow, log)
  checkExpressions(
    {
      workflow,
      inputs: workflow.inputs,
      stepIds: steps.ids,
      finallyIds: last.ids,
      reaches: sound && lastSound ? reachesIn(steps.nodes, last.nodes) : () => true,
    },
    log,
  )
  return log.problems.length === 0 ? workflow : null
}

function reachesIn(...parts: readonly Readonly<Record<string, GraphNode>>[]): (id: string, other: string) => boolean {
  const graphs = parts.map(buildGraph)
  return (id, other) => graphs.some((graph) => graph.reaches(id, other))
}

/** Of a head that has problems, the parts that have none, and the names that expressions may use. */
function readableHead(raw: Readonly<Record<string, unknown>>): Omit<WorkflowDefinition, 'name' | 'steps' | 'finally'> {
  const { env, outputs, onEnd, concurrency, inputs } = header.shape
  const whole = {
    env: env.safeParse(raw.env),
    outputs: outputs.safeParse(raw.outputs),
    onEnd: onEnd.safeParse(raw.onEnd),
  }
  const key = concurrency.safeParse(raw.concurrency)
  const named = isRecord(raw.inputs) ? Object.entries(raw.inputs) : []
  const variables = isRecord(raw.env) ? Object.entries(raw.env) : []
  return {
    inputs: Object.fromEntries(
      named.map(([name, input]) => [
        name,
        inputs.safeParse({ [name]: input }).data?.[name] ?? { type: 'json', required: false },
      ]),
    ),
    env: whole.env.data ?? Object.fromEntries(variables.map(([name, value]) => [name, String(value)])),
    outputs: whole.outputs.data ?? {},
    ...(whole.onEnd.data ? { onEnd: whole.onEnd.data } : {}),
    ...(key.data ? { concurrency: key.data } : {}),
  }
}

interface ReadSteps {
  /** The steps that could be read. */
  readonly read: Record<string, Step>
  /** All of them, as far as the graph is concerned. */
  readonly nodes: Record<string, GraphNode>
  readonly ids: ReadonlySet<string>
}

const emptySteps: ReadSteps = { read: {}, nodes: {}, ids: new Set() }

function readSteps(raw: unknown, part: 'steps' | 'finally', log: ProblemLog): ReadSteps {
  if (!isRecord(raw)) {
    log.report([part], raw === undefined ? 'steps is missing' : `${part} is not a map`, {
      expected: 'a map of step ids to steps',
    })
    return emptySteps
  }
  const read: Record<string, Step> = {}
  const nodes: Record<string, GraphNode> = {}
  const entries = Object.entries(raw)
  if (entries.length > workflowLimits.steps) {
    log.report([part], `${entries.length} steps`, { expected: `at most ${workflowLimits.steps}`, key: true })
    return emptySteps
  }
  for (const [id, step] of entries) {
    if (!/^(?!__)[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(id)) {
      log.report([part, id], `${JSON.stringify(id)} cannot be the id of a step`, {
        key: true,
        expected: 'a letter or _, then letters, digits, _ or -, at most 64 in all',
      })
    }
    const withKind = addKind(step, part, id, log)
    const parsed = withKind === null ? null : parsePart(stepSchema, withKind, [part, id], log)
    if (parsed !== null) read[id] = parsed
    nodes[id] = { needs: parsed?.needs ?? needsOf(step) }
  }
  return { read, nodes, ids: new Set(entries.map(([id]) => id)) }
}

/** The step with its `kind` written out, here and inside a map; null where it has none. */
function addKind(step: unknown, part: string, id: string, log: ProblemLog): unknown {
  const kind = kindOfStep(step, [part, id], log)
  if (kind === null || !isRecord(step)) return null
  if (kind !== 'map' || !isRecord(step.map) || step.map.step === undefined) return { ...step, kind }
  const inner = step.map.step
  const innerKind = kindOfStep(inner, [part, id, 'map', 'step'], log, mappedKinds)
  if (innerKind === null || !isRecord(inner)) return null
  return { ...step, kind, map: { ...step.map, step: { ...inner, kind: innerKind } } }
}

/** What a step that could not be read seems to need: the rest of the graph is checked all the same. */
function needsOf(step: unknown): readonly string[] {
  if (!isRecord(step)) return []
  const needs = typeof step.needs === 'string' ? [step.needs] : step.needs
  return Array.isArray(needs) ? needs.filter((need) => typeof need === 'string') : []
}

function checkCounts(steps: ReadSteps, last: ReadSteps, log: ProblemLog): void {
  const count = steps.ids.size + last.ids.size
  if (count > workflowLimits.steps)
    log.report(['steps'], `${count} steps`, { expected: `at most ${workflowLimits.steps}`, key: true })
  if (steps !== emptySteps && steps.ids.size === 0)
    log.report(['steps'], 'the workflow has no steps', { expected: 'at least one' })
  for (const id of last.ids) {
    if (steps.ids.has(id))
      log.report(['finally', id], `a step is named ${id} already`, { key: true, expected: 'an id of its own' })
  }
}

/** Secret inputs are refused in words of their own; what is left of them is checked like the rest. */
function refuseSecretInputs(inputs: unknown, log: ProblemLog): { inputs?: unknown } {
  if (!isRecord(inputs)) return {}
  const entries = Object.entries(inputs).map(([name, input]) => {
    if (!isRecord(input) || !Object.hasOwn(input, 'secret')) return [name, input]
    log.report(['inputs', name, 'secret'], 'inputs are stored with the run and cannot be secret', {
      key: true,
      expected: '${{ secrets.NAME }} in env, without an input',
    })
    const { secret: _, ...others } = input
    return [name, others]
  })
  return { inputs: Object.fromEntries(entries) }
}

/** Nesting beyond the limit, and the one key that JavaScript would take for something else. */
function refuseOddities(value: unknown, path: Path, log: ProblemLog): void {
  if (typeof value !== 'object' || value === null) return
  if (path.length >= workflowLimits.depth) {
    log.report(path, 'the value is nested too deep', { expected: `at most ${workflowLimits.depth} levels` })
    return
  }
  for (const [key, inner] of Object.entries(value)) {
    if (key === '__proto__')
      log.report([...path, key], '__proto__ cannot be a key', { key: true, expected: 'another name' })
    else refuseOddities(inner, [...path, key], log)
  }
}
