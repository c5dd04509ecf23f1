import type { ASTNode, Environment } from '@marcbachmann/cel-js'
import { CelProblem, parseCel, readable, rename } from './cel.ts'
import { keyAfter, walkFreeNames } from './cel-ast.ts'
import { celWords, createEnvironment } from './cel-environment.ts'
import { didYouMean } from './did-you-mean.ts'
import { type ExpressionSite, type Expressive, expressionSites } from './expression-sites.ts'
import { secretIn } from './expressions.ts'
import type { ProblemLog } from './problem.ts'
import { outputsOf } from './step-outputs.ts'
import { hasExpression, parseTemplate } from './template.ts'
import type { WorkflowInput } from './workflow-contract.ts'

/** What the checker must know of a definition beside the expressions themselves. */
export interface ExpressionWorld {
  readonly workflow: Expressive
  readonly inputs: Readonly<Record<string, WorkflowInput>>
  /** All ids, also of steps that could not be read. */
  readonly stepIds: ReadonlySet<string>
  readonly finallyIds: ReadonlySet<string>
  /** Whether the first step waits for the second. */
  readonly reaches: (id: string, other: string) => boolean
}

/** Finds expressions that cannot work: bad CEL, unknown names, steps that are not waited for, wrong types, secrets in the wrong place. */
export function checkExpressions(world: ExpressionWorld, log: ProblemLog): void {
  const environments = new Map<string, Environment>()
  for (const site of expressionSites(world.workflow)) {
    if (site.mode === 'expression') checkSource(world, site, site.text, environments, log)
    else checkTemplate(world, site, environments, log)
  }
}

function checkTemplate(
  world: ExpressionWorld,
  site: ExpressionSite,
  environments: Map<string, Environment>,
  log: ProblemLog,
): void {
  const { text } = site
  if (!hasExpression(text)) {
    if (site.result === 'list')
      log.report(site.path, `found ${JSON.stringify(text)}`, { expected: 'a list or ${{ }} that gives one' })
    return
  }
  if (secretIn(text) !== null) {
    if (!site.secrets)
      log.report(site.path, 'a secret cannot stand here', { expected: 'secrets only in env and agent.config' })
    return
  }
  const parsed = parseTemplate(text)
  if (!parsed.ok) {
    log.report(site.path, parsed.message, { snippet: text.slice(parsed.at), expected: '${{ expression }}' })
    return
  }
  for (const segment of parsed.segments) {
    if (segment.kind === 'text') continue
    const alone = parsed.segments.length === 1
    const here = alone ? site : { ...site, result: 'any' as const }
    checkSource(world, here, segment.source, environments, log)
    if (!alone && site.result === 'list')
      log.report(site.path, 'text around ${{ }} makes it text', { expected: 'a list' })
  }
}

function checkSource(
  world: ExpressionWorld,
  site: ExpressionSite,
  source: string,
  environments: Map<string, Environment>,
  log: ProblemLog,
): void {
  let clean = true
  const report = (message: string, at: number, expected?: string) => {
    clean = false
    log.report(site.path, message, { snippet: source, offset: at, ...(expected === undefined ? {} : { expected }) })
  }
  try {
    const ast = parseCel(source)
    checkNames(world, site, ast, report)
    if (!clean) return
    const checked = environmentFor(world, site, environments).parse(rename(source, ast)).check()
    if (!checked.valid) {
      const error = checked.error
      const message = readable(error?.summary ?? 'the types do not fit')
      report(message, error?.range?.start ?? 0)
      return
    }
    const type = checked.type ?? 'dyn'
    if (site.result === 'boolean' && type !== 'bool' && type !== 'dyn')
      report(`the expression gives ${plain(type)}`, 0, 'true or false')
    if (site.result === 'list' && !/^(dyn|list|map)/.test(type))
      report(`the expression gives ${plain(type)}`, 0, 'a list')
  } catch (error) {
    if (!(error instanceof CelProblem)) throw error
    report(error.message, error.at, 'an expression in CEL, such as inputs.count > 3')
  }
}

type Report = (message: string, at: number, expected?: string) => void

function checkNames(world: ExpressionWorld, site: ExpressionSite, ast: ASTNode, report: Report): void {
  walkFreeNames(ast, (node, parents) => {
    const name = node.args
    if (name === 'secrets') {
      report(
        'a secret stands alone in ${{ secrets.NAME }}, as the whole value of an env or agent.config entry',
        node.start,
      )
    } else if (celWords.has(name)) {
      // Types, as in type(x) == string, and the namespace of cel.bind.
      return
    } else if (!site.names.includes(name)) {
      report(unknownName(name, site), node.start, `one of ${site.names.join(', ')}`)
    } else if (name === 'steps') {
      checkStepReference(world, site, node, parents, report)
    } else if (name === 'inputs') {
      checkKey(node, parents, Object.keys(world.inputs), 'input', report)
    } else if (name === 'env') {
      checkEnv(world, node, parents, report)
    }
  })
}

function unknownName(name: string, site: ExpressionSite): string {
  if (name === 'steps') return 'the results of steps are not known here'
  if (name === 'env') return 'env is not known here'
  return `unknown name ${name}${didYouMean(name, site.names)}`
}

function checkKey(
  node: ASTNode,
  parents: readonly ASTNode[],
  known: readonly string[],
  what: string,
  report: Report,
): void {
  const key = keyAfter(node, parents[0])
  if (key === null || known.includes(key)) return
  const dashed = known.find((name) => name.startsWith(`${key}-`))
  const hint = dashed ? `; write inputs["${dashed}"], because - subtracts` : didYouMean(key, known)
  const expected = known.length > 0 ? `one of ${known.join(', ')}` : `an ${what} that the workflow declares`
  report(`unknown ${what} ${key}${hint}`, parents[0]?.start ?? node.start, expected)
}

function checkEnv(world: ExpressionWorld, node: ASTNode, parents: readonly ASTNode[], report: Report): void {
  const known = world.workflow.env ?? {}
  const key = keyAfter(node, parents[0])
  if (key === null) report('env is read by a name that is written out', node.start, 'env.NAME')
  else if (!Object.hasOwn(known, key)) {
    report(
      `unknown variable env.${key}${didYouMean(key, Object.keys(known))}`,
      node.start,
      'a variable of the env of the workflow',
    )
  } else if (secretIn(known[key] ?? '') !== null)
    report(`env.${key} is a secret and cannot be read in expressions`, node.start)
}

const stepFields = ['state', 'outputs', 'error']

function checkStepReference(
  world: ExpressionWorld,
  site: ExpressionSite,
  node: ASTNode,
  parents: readonly ASTNode[],
  report: Report,
): void {
  const id = keyAfter(node, parents[0])
  if (id === null) {
    report('steps are read by an id that is written out', node.start, 'steps.ID.outputs.NAME')
    return
  }
  if (!world.stepIds.has(id) && !world.finallyIds.has(id)) {
    const dashed = [...world.stepIds].find((other) => other.startsWith(`${id}-`))
    const hint = dashed ? `; write steps["${dashed}"], because - subtracts` : didYouMean(id, world.stepIds)
    report(`unknown step ${id}${hint}`, node.start, 'the id of a step that this one needs')
    return
  }
  if (id === site.stepId) report(`step ${id} cannot read its own result`, node.start)
  else if (!isWaitedFor(world, site.stepId, id)) {
    report(
      `step ${site.stepId} reads steps.${id} but does not wait for it`,
      node.start,
      `${id} among the needs of ${site.stepId}`,
    )
  }
  const field = keyAfter(parents[0] as ASTNode, parents[1])
  if (field === null) return
  if (!stepFields.includes(field)) {
    report(`a step has no ${field}${didYouMean(field, stepFields)}`, node.start, 'one of state, outputs, error')
    return
  }
  const output = field === 'outputs' ? keyAfter(parents[1] as ASTNode, parents[2]) : null
  const step = world.workflow.steps[id] ?? world.workflow.finally[id]
  const declared = step === undefined ? null : outputsOf(step)
  if (output !== null && declared !== null && !declared.includes(output)) {
    const expected =
      declared.length > 0 ? `one of ${declared.join(', ')}` : `outputs: { ${output}: stdout } in step ${id}`
    report(`step ${id} has no output ${output}${didYouMean(output, declared)}`, node.start, expected)
  }
}

function isWaitedFor(world: ExpressionWorld, reader: string | null, id: string): boolean {
  if (reader === null || world.reaches(reader, id)) return true
  return world.finallyIds.has(reader) && world.stepIds.has(id)
}

const runFields = {
  id: 'string',
  name: 'string',
  workflow: 'string',
  attempt: 'int',
  state: 'string',
  startedAt: 'string',
  depth: 'string',
  reviewers: 'list<string>',
  agents: 'bool',
}
const repoFields = { path: 'string', commit: 'string', branch: 'string' }

/** The library's type checker, told the types of what this place can read. */
function environmentFor(world: ExpressionWorld, site: ExpressionSite, made: Map<string, Environment>): Environment {
  const key = site.names.join(' ')
  const known = made.get(key)
  if (known !== undefined) return known
  const environment = createEnvironment(false)
  for (const name of site.names) {
    if (name === 'inputs') environment.registerVariable({ name, schema: inputTypes(world.inputs) })
    else if (name === 'run') environment.registerVariable({ name, schema: runFields })
    else if (name === 'repo') environment.registerVariable({ name, schema: repoFields })
    else environment.registerVariable(name, name === 'index' ? 'int' : name === 'env' ? 'map<string, string>' : 'dyn')
  }
  made.set(key, environment)
  return environment
}

function inputTypes(inputs: Readonly<Record<string, WorkflowInput>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, input]) => {
      const present = input.default !== undefined || input.required !== false
      const type = input.type === 'string' ? 'string' : input.type === 'boolean' ? 'bool' : 'dyn'
      return [name, present ? type : 'dyn']
    }),
  )
}

function plain(type: string): string {
  return type === 'string' ? 'text' : type === 'int' || type === 'double' ? 'a number' : `a ${type}`
}
