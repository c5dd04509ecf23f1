import type { JsonObject } from '../../foundation/kernel/json.ts'
import { raiseTier } from '../../foundation/kernel/model-tier.ts'
import { parseDuration } from '../../foundation/kernel/units.ts'
import type { OnFail } from '../gates/checks-contract.ts'
import { depthTable } from './depth-table-contract.ts'
import type { PreparedContext } from './evaluation-context.ts'
import {
  type EvaluationContext,
  evaluateCondition,
  evaluateJson,
  evaluateTemplate,
  evaluateText,
} from './expressions.ts'
import { resolveAsking, resolveQuestions, shareOf } from './resolve-asking.ts'
import { cleanText, resolveEnvironment } from './resolve-environment.ts'
import { resolvePlacement } from './resolve-placement.ts'
import {
  depthOf,
  resolveBudget,
  resolveConcurrency,
  resolveResources,
  resolveRetry,
  taskDefaults,
} from './resolve-policies.ts'
import type { ResolvedCheck, ResolvedCommon, ResolvedGate, ResolvedTask, ResolvedWork } from './task-contract.ts'
import type { GateCheck, MappedStep, Step, StepOf, WorkflowDefinition } from './workflow-contract.ts'
import { workflowErrors } from './workflow-errors.ts'

/** What every task has. */
export function resolveCommon(definition: WorkflowDefinition, stepId: string, step: Step | MappedStep): ResolvedCommon {
  return {
    stepId,
    timeoutMs: step.timeout === undefined ? null : parseDuration(step.timeout),
    priority: step.priority ?? definition.defaults?.priority ?? definition.priority ?? taskDefaults.priority,
    labels: step.labels ?? {},
    risky: step.risky ?? false,
    allowFailure: step.allowFailure ?? false,
  }
}

type Worker = Exclude<MappedStep, { kind: 'workflow' }> | StepOf<'gate'>

function work(definition: WorkflowDefinition, stepId: string, step: Worker, prepared: PreparedContext): ResolvedWork {
  const { context, environment, askedDepth } = prepared
  const defaults = definition.defaults ?? {}
  const depth = depthOf(step, defaults, askedDepth)
  // A depth that was asked for outweighs the general timeout of the workflow; the tacit standard depth does not.
  const asked = step.kind === 'agent' ? (askedDepth ?? step.agent.depth ?? defaults.depth) : undefined
  const usual = depth ? depthTable[depth].timeout : taskDefaults.timeout
  const timeout = step.timeout ?? (asked ? depthTable[asked].timeout : defaults.timeout) ?? usual
  const base = resolveCommon(definition, stepId, step)
  const placement = resolvePlacement(step, context)
  return {
    ...base,
    labels: depth ? { depth: depthTable[depth].label, ...base.labels } : base.labels,
    timeoutMs: parseDuration(timeout),
    retry: resolveRetry(step.retry, defaults),
    resources: resolveResources(step.resources, defaults),
    budget: resolveBudget('budget' in step ? step.budget : undefined, depth),
    concurrency: resolveConcurrency('concurrency' in step ? step.concurrency : undefined, context),
    pool: step.pool ?? defaults.pool ?? null,
    capabilities: step.capabilities ?? [],
    ...(placement === null ? {} : { placement }),
    workspace: workspaceOf(step, defaults.workspace),
    ...placeInRepository(step, context, stepId),
    ...resolveEnvironment(step.env, context, environment),
    outputs: 'outputs' in step ? (step.outputs ?? {}) : {},
  }
}

/** A worktree that is to start at a commit is a worktree, whatever else is said. */
function workspaceOf(step: Worker, usual: 'none' | 'worktree' | undefined): 'none' | 'worktree' {
  if (step.kind === 'merge') return 'worktree'
  if (step.kind === 'gate' && step.gate.checks.some((check) => 'check' in check)) return step.workspace ?? 'worktree'
  return step.workspace ?? (step.base === undefined ? usual : 'worktree') ?? 'none'
}

function placeInRepository(
  step: Worker,
  context: EvaluationContext,
  stepId: string,
): Pick<ResolvedWork, 'base' | 'paths' | 'onOverlap'> {
  const warn = 'onOverlap' in step && step.onOverlap === 'warn' ? { onOverlap: step.onOverlap } : {}
  const base = 'base' in step && step.base !== undefined ? revisionOf(step.base, context, `${stepId}.base`) : undefined
  const paths =
    'paths' in step && step.paths !== undefined ? pathsOf(step.paths, context, `${stepId}.paths`) : undefined
  return { ...(base === undefined ? {} : { base }), ...(paths === undefined ? {} : { paths }), ...warn }
}

/** A name of a commit that git cannot take for an option or a range. */
function revisionOf(template: string, context: EvaluationContext, what: string): string {
  const revision = cleanText(evaluateText(template, context), what)
  if (/^[A-Za-z0-9_][\w./-]*$/.test(revision) && !revision.includes('..')) return revision
  const reason = `expected a commit or a branch, found ${JSON.stringify(revision.slice(0, 80))}`
  throw workflowErrors['expression-failed'](`${what}: ${reason}`, { details: { reason } })
}

function pathsOf(paths: string | readonly string[], context: EvaluationContext, what: string): readonly string[] {
  const value = typeof paths === 'string' ? evaluateTemplate(paths, context) : argvOf(paths, context, what)
  const list = typeof value === 'string' ? [value] : value
  if (Array.isArray(list) && list.every((path) => typeof path === 'string' && path !== '')) return list as string[]
  const reason = `expected a list of globs, found ${JSON.stringify(value).slice(0, 80)}`
  throw workflowErrors['expression-failed'](`${what}: ${reason}`, { details: { reason } })
}

/** The task of a step that an agent (or another workflow) does. */
export function resolveWork(
  definition: WorkflowDefinition,
  stepId: string,
  step: MappedStep,
  prepared: PreparedContext,
): ResolvedTask {
  const { context } = prepared
  switch (step.kind) {
    case 'command':
      return {
        kind: 'command',
        ...work(definition, stepId, step, prepared),
        argv: argvOf(step.command, context, `${stepId}.command`),
        stdin: step.stdin === undefined ? null : evaluateText(step.stdin, context),
      }
    case 'script':
      return {
        kind: 'script',
        ...work(definition, stepId, step, prepared),
        script: step.script,
        interpreter: step.interpreter ?? ['bash', '-eu'],
      }
    case 'agent': {
      const config = resolveEnvironment(step.agent.config, context)
      const depth = depthOf(step, definition.defaults ?? {}, prepared.askedDepth) ?? 'standard'
      const persona = step.agent.persona === undefined ? '' : evaluateText(step.agent.persona, context).trim()
      return {
        kind: 'agent',
        ...work(definition, stepId, step, prepared),
        prompt: cleanText(evaluateText(step.agent.prompt, context), `${stepId}.agent.prompt`),
        depth,
        tier: raiseTier('standard', depthTable[depth].raise),
        ...(persona === '' ? {} : { persona: cleanText(persona, `${stepId}.agent.persona`) }),
        config: config.env,
        secretConfig: config.secretEnv,
        ...(step.agent.questions === undefined ? {} : { questions: resolveQuestions(step.agent.questions) }),
      }
    }
    case 'merge':
      return resolveMerge(definition, stepId, step, prepared)
    case 'workflow':
      return {
        kind: 'workflow',
        ...resolveCommon(definition, stepId, step),
        workflow: step.workflow.name,
        version: step.workflow.version ?? null,
        inputs: evaluateJson(step.workflow.inputs ?? {}, context) as JsonObject,
        retry: resolveRetry(step.retry, {}),
        budget: resolveBudget(step.budget, null),
        concurrency: resolveConcurrency(step.concurrency, context),
      }
  }
}

export function resolveGate(
  definition: WorkflowDefinition,
  stepId: string,
  step: StepOf<'gate'>,
  prepared: PreparedContext,
): ResolvedGate {
  const { context } = prepared
  const { checks, onFail } = step.gate
  const { who, deadlineMs, rules } = resolveAsking(step.gate, `${definition.name}/${stepId}`, context)
  return {
    kind: 'gate',
    ...work(definition, stepId, step, prepared),
    checks: checks.map((check) => resolveCheck(check, onFail, context, stepId, definition)),
    ...{ who, deadlineMs, rules },
  }
}

/** Where the repository of the run is, branches can be moved. */
const mergeCapability = 'merge'

function resolveMerge(
  definition: WorkflowDefinition,
  stepId: string,
  step: StepOf<'merge'>,
  prepared: PreparedContext,
): ResolvedTask {
  const { context } = prepared
  const { merge } = step
  const into = merge.into === undefined ? context.repo.branch : evaluateText(merge.into, context)
  if (into === '') {
    const reason = 'no branch is checked out, and `into` names none'
    throw workflowErrors['expression-failed'](`${stepId}.merge: ${reason}`, { details: { reason } })
  }
  const branch = revisionOf(into, context, `${stepId}.merge.into`)
  const resolved = work(definition, stepId, step, prepared)
  return {
    kind: 'merge',
    ...resolved,
    capabilities: [...resolved.capabilities, mergeCapability],
    // One at a time for each branch: the next begins where this one left the branch.
    concurrency: { key: `merge:${context.repo.path}#${branch}`, limit: 1 },
    base: `refs/heads/${branch}`,
    commit: revisionOf(merge.commit, context, `${stepId}.merge.commit`),
    into: branch,
    method: merge.method ?? 'rebase',
    checks: (merge.checks ?? [{ check: 'tests' as const }]).map((check) =>
      resolveCheck(check, undefined, context, stepId, definition),
    ),
    onConflict: merge.onConflict ?? 'fail',
    message: merge.message === undefined ? null : cleanText(evaluateText(merge.message, context), `${stepId}.merge`),
    ...(merge.batch === undefined ? {} : { batch: merge.batch }),
  }
}

function resolveCheck(
  check: GateCheck,
  onFail: OnFail | undefined,
  context: EvaluationContext,
  stepId: string,
  definition: WorkflowDefinition,
): ResolvedCheck {
  if (!('check' in check)) {
    const base = { name: check.name, onFail: check.onFail ?? onFail ?? 'block' }
    if ('command' in check) return { ...base, argv: argvOf(check.command, context, `${stepId}.${check.name}`) }
    const passed = evaluateCondition(check.condition, context)
    if (check.summary === undefined) return { ...base, passed }
    return { ...base, passed, summary: cleanText(evaluateText(check.summary, context), `${stepId}.${check.name}`) }
  }
  const name = check.name ?? check.check
  const argv = (words: readonly string[] | undefined) =>
    words === undefined ? null : argvOf(words, context, `${stepId}.${name}`)
  const share = (text: string | undefined) => (text === undefined ? null : shareOf(evaluateText(text, context)))
  return {
    name,
    onFail: check.onFail ?? onFail ?? null,
    check: check.check,
    command: argv(check.command),
    setup: argv(check.setup),
    report: check.report ?? null,
    min: check.min ?? null,
    max: check.max ?? null,
    ...(check.check === 'confidence'
      ? {
          confidence: {
            agent: share(check.agent),
            reviewer: share(check.reviewer),
            risks: check.risks ?? [],
            type: check.type ?? `${definition.name}/${stepId}`,
          },
        }
      : {}),
  }
}

/** One text for each element: nothing that a value holds can add or split one. */
export function argvOf(words: readonly string[], context: EvaluationContext, what: string): readonly string[] {
  return words.map((word, index) => cleanText(evaluateText(word, context), `${what}[${index}]`))
}
