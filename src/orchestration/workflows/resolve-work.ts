import type { JsonObject } from '../../foundation/kernel/json.ts'
import { parseDuration } from '../../foundation/kernel/units.ts'
import { depthTable } from './depth-table.ts'
import type { PreparedContext } from './evaluation-context.ts'
import { type EvaluationContext, evaluateCondition, evaluateJson, evaluateText } from './expressions.ts'
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
import type { MappedStep, Step, StepOf, WorkflowDefinition } from './workflow-contract.ts'

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
  const { context, environment } = prepared
  const defaults = definition.defaults ?? {}
  const depth = depthOf(step, defaults)
  // A depth that was asked for outweighs the general timeout of the workflow; the tacit standard depth does not.
  const asked = step.kind === 'agent' ? (step.agent.depth ?? defaults.depth) : undefined
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
    workspace: step.workspace ?? defaults.workspace ?? 'none',
    ...resolveEnvironment(step.env, context, environment),
    outputs: 'outputs' in step ? (step.outputs ?? {}) : {},
  }
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
      return {
        kind: 'agent',
        ...work(definition, stepId, step, prepared),
        prompt: cleanText(evaluateText(step.agent.prompt, context), `${stepId}.agent.prompt`),
        depth: depthOf(step, definition.defaults ?? {}) ?? 'standard',
        config: config.env,
        secretConfig: config.secretEnv,
      }
    }
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
  const { checks, onFail = 'block', who, deadline } = step.gate
  return {
    kind: 'gate',
    ...work(definition, stepId, step, prepared),
    checks: checks.map((check): ResolvedCheck => {
      const base = { name: check.name, onFail: check.onFail ?? onFail }
      if ('command' in check) return { ...base, argv: argvOf(check.command, context, `${stepId}.${check.name}`) }
      return { ...base, passed: evaluateCondition(check.condition, context) }
    }),
    who: who ?? [],
    deadlineMs: deadline === undefined ? null : parseDuration(deadline),
  }
}

/** One text for each element: nothing that a value holds can add or split one. */
export function argvOf(words: readonly string[], context: EvaluationContext, what: string): readonly string[] {
  return words.map((word, index) => cleanText(evaluateText(word, context), `${what}[${index}]`))
}
