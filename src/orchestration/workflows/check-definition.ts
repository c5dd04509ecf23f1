import type { JsonValue } from '../../foundation/kernel/json.ts'
import { parseDuration } from '../../foundation/kernel/units.ts'
import { celWords } from './cel-environment.ts'
import { checkAsking } from './check-asking.ts'
import { didYouMean } from './did-you-mean.ts'
import { defaultItemName, type Expressive } from './expression-sites.ts'
import { findCycle, type GraphNode } from './graph.ts'
import type { Path, ProblemLog } from './problem.ts'
import type { GateCheck, MappedStep, Step, WorkflowInput } from './workflow-contract.ts'

/** Names that a map cannot give to its item, beside the words of CEL. */
const reservedNames = ['inputs', 'steps', 'run', 'repo', 'env', 'secrets', 'event', 'index']

/** Needs that name no step, the step itself, or go in a circle. Returns whether the graph is sound. */
export function checkNeeds(
  steps: Readonly<Record<string, GraphNode>>,
  part: 'steps' | 'finally',
  others: ReadonlySet<string>,
  log: ProblemLog,
): boolean {
  let sound = true
  for (const [id, step] of Object.entries(steps)) {
    const named = new Set<string>()
    for (const [index, need] of step.needs.entries()) {
      const path = [part, id, 'needs', index]
      if (need === id) {
        log.report(path, `step ${id} needs itself`)
        sound = false
      } else if (named.has(need)) {
        log.warn(path, `${need} is named twice`)
      } else if (!Object.hasOwn(steps, need)) {
        const message = others.has(need)
          ? part === 'finally'
            ? `finally steps run after ${need} anyway`
            : `${need} is a finally step and runs after all others`
          : `unknown step ${need}${didYouMean(need, Object.keys(steps))}`
        log.report(path, message, { expected: `the id of another step under ${part}` })
      }
      named.add(need)
    }
  }
  const cycle = sound ? findCycle(steps) : null
  if (cycle !== null) {
    const [first, second] = cycle as [string, string]
    const index = steps[first]?.needs.indexOf(second) ?? 0
    const shown =
      cycle.length > 12 ? [...cycle.slice(0, 6), `... ${cycle.length - 11} more ...`, ...cycle.slice(-5)] : cycle
    log.report([part, first, 'needs', index], `the steps wait for each other in a circle: ${shown.join(' -> ')}`, {
      expected: 'no step that needs itself through others',
    })
    sound = false
  }
  return sound
}

/** What the shape alone cannot say about inputs. */
export function checkInputs(inputs: Readonly<Record<string, WorkflowInput>>, log: ProblemLog): void {
  for (const [name, input] of Object.entries(inputs)) {
    const path = ['inputs', name]
    if (input.default !== undefined) {
      if (input.required === true)
        log.report([...path, 'required'], 'an input with a default is never missing', {
          expected: 'either required or default',
        })
      if (!fitsType(input.default, input.type)) {
        log.report([...path, 'default'], `found ${JSON.stringify(input.default).slice(0, 60)}`, {
          expected: `a ${input.type}`,
        })
      } else if (input.enum && !input.enum.includes(input.default as string)) {
        log.report([...path, 'default'], `${JSON.stringify(input.default).slice(0, 60)} is not in the enum`, {
          expected: `one of ${input.enum.join(', ')}`,
        })
      }
    }
    for (const [index, value] of (input.enum ?? []).entries()) {
      if (input.type !== 'json' && !fitsType(value, input.type)) {
        log.report([...path, 'enum', index], `found ${JSON.stringify(value)}`, { expected: `a ${input.type}` })
      }
    }
  }
}

export function fitsType(value: JsonValue, type: WorkflowInput['type']): boolean {
  return type === 'json' || (typeof value === type && (type !== 'number' || Number.isFinite(value)))
}

/** What the shape alone cannot say about each step. */
export function checkSteps(workflow: Expressive, log: ProblemLog): void {
  for (const part of ['steps', 'finally'] as const) {
    for (const [id, step] of Object.entries(workflow[part])) checkStep(step, [part, id], log)
  }
  checkEnvironment(workflow.env, ['env'], log)
}

function checkStep(step: Step, path: Path, log: ProblemLog): void {
  positive(step.timeout, [...path, 'timeout'], log)
  switch (step.kind) {
    case 'map':
      checkMap(step, path, log)
      return
    case 'approval':
      positive(step.approval.deadline, [...path, 'approval', 'deadline'], log)
      checkAsking(step.approval, [...path, 'approval'], log)
      return
    case 'gate': {
      positive(step.gate.deadline, [...path, 'gate', 'deadline'], log)
      checkAsking(step.gate, [...path, 'gate'], log)
      checkEnvironment(step.env, [...path, 'env'], log)
      checkNames(step.gate.checks, [...path, 'gate', 'checks'], log)
      return
    }
    case 'wait':
      return
    default:
      checkWork(step, path, log)
  }
}

function checkNames(checks: readonly GateCheck[], path: Path, log: ProblemLog): void {
  const names = checks.map((check) => ('check' in check ? (check.name ?? check.check) : check.name))
  for (const [index, name] of names.entries()) {
    const at = checks[index]?.name === undefined ? [...path, index] : [...path, index, 'name']
    if (names.indexOf(name) < index) log.report(at, `two checks are named ${name}`)
  }
}

function checkMap(step: Extract<Step, { kind: 'map' }>, path: Path, log: ProblemLog): void {
  const { as = defaultItemName, step: inner, tolerate } = step.map
  const at = [...path, 'map']
  if (reservedNames.includes(as) || celWords.has(as) || as.includes('-')) {
    log.report([...at, 'as'], `the item cannot be named ${as}`, {
      expected: `a name of letters, digits and _, no word of CEL and none of ${reservedNames.join(', ')}`,
    })
  }
  if (typeof tolerate === 'string' && Number.parseInt(tolerate, 10) > 100) {
    log.report([...at, 'tolerate'], `found ${JSON.stringify(tolerate)}`, { expected: 'at most 100%' })
  }
  if (inner.needs.length > 0) {
    log.report([...at, 'step', 'needs'], 'the step inside a map waits for nothing of its own', {
      expected: `needs on the map itself`,
      key: true,
    })
  }
  positive(inner.timeout, [...at, 'step', 'timeout'], log)
  checkWork(inner, [...at, 'step'], log)
}

function checkWork(step: MappedStep, path: Path, log: ProblemLog): void {
  if (step.kind === 'workflow') return
  if (step.kind === 'merge') checkNames(step.merge.checks ?? [], [...path, 'merge', 'checks'], log)
  checkEnvironment(step.env, [...path, 'env'], log)
  if (step.kind === 'script') {
    const at = step.script.indexOf('${{')
    if (at !== -1) {
      const line = step.script.slice(at).split('\n')[0] as string
      log.report([...path, 'script'], 'a script cannot hold ${{ }}: what it stands for would be run as code', {
        snippet: line,
        offset: 0,
        expected: 'env: { NAME: ${{ ... }} } and "$NAME" in the script',
      })
    }
  }
}

function checkEnvironment(env: Readonly<Record<string, string>> | undefined, path: Path, log: ProblemLog): void {
  for (const name of Object.keys(env ?? {})) {
    if (name.startsWith('LEANVIBE_')) {
      log.report([...path, name], 'variables that begin with LEANVIBE_ are set by the runner', {
        key: true,
        expected: 'another name',
      })
    }
  }
}

function positive(duration: string | undefined, path: Path, log: ProblemLog): void {
  if (duration !== undefined && parseDuration(duration) === 0)
    log.report(path, `found ${duration}`, { expected: 'more than 0' })
}
