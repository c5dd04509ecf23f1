import { parseDuration, parseSize } from '../../foundation/kernel/units.ts'
import { depthTable } from './depth-table-contract.ts'
import { type EvaluationContext, evaluateText } from './expressions.ts'
import type { ResolvedBudget, ResolvedResources, ResolvedRetry } from './task-contract.ts'
import type { Depth, MappedStep, RetryPolicy, StepOf, WorkflowDefinition } from './workflow-contract.ts'

type Defaults = NonNullable<WorkflowDefinition['defaults']>
type Budget = NonNullable<WorkflowDefinition['budget']>
type Concurrency = NonNullable<WorkflowDefinition['concurrency']>

/** Where neither step nor workflow says anything. */
export const taskDefaults = Object.freeze({
  priority: 5,
  timeout: '10m',
  backoff: { initial: '1s', factor: 2, max: '5m', jitter: 0.2 },
  resources: { cpu: 1, memory: '512MB', disk: '1GB', network: 10 },
})

export function resolveRetry(own: RetryPolicy | undefined, defaults: Defaults): ResolvedRetry {
  const policy = own ?? defaults.retry ?? { attempts: 1 }
  const { backoff = {} } = policy
  const usual = taskDefaults.backoff
  return {
    attempts: policy.attempts,
    backoff: {
      initialMs: parseDuration(backoff.initial ?? usual.initial),
      factor: backoff.factor ?? usual.factor,
      maxMs: parseDuration(backoff.max ?? usual.max),
      jitter: backoff.jitter ?? usual.jitter,
    },
    ...(policy.on ? { on: policy.on } : {}),
  }
}

export function resolveResources(own: StepOf<'command'>['resources'], defaults: Defaults): ResolvedResources {
  const usual = taskDefaults.resources
  const wider = defaults.resources ?? {}
  return {
    cpuCores: own?.cpu ?? wider.cpu ?? usual.cpu,
    memoryBytes: parseSize(own?.memory ?? wider.memory ?? usual.memory),
    diskBytes: parseSize(own?.disk ?? wider.disk ?? usual.disk),
    networkMbps: own?.network ?? wider.network ?? usual.network,
    ...limitsOf(own?.limits ?? wider.limits),
  }
}

function limitsOf(limits: NonNullable<StepOf<'command'>['resources']>['limits']): Pick<ResolvedResources, 'limits'> {
  if (limits === undefined) return {}
  const { cpu, memory, disk, network } = limits
  const resolved = {
    ...(cpu === undefined ? {} : { cpuCores: cpu }),
    ...(memory === undefined ? {} : { memoryBytes: parseSize(memory) }),
    ...(disk === undefined ? {} : { diskBytes: parseSize(disk) }),
    ...(network === undefined ? {} : { networkBytesPerSecond: network * 125_000 }),
  }
  return Object.keys(resolved).length === 0 ? {} : { limits: resolved }
}

/** The step's own limits over those of its depth, unit by unit. */
export function resolveBudget(own: Budget | undefined, depth: Depth | null): ResolvedBudget {
  const { usd, tokens, runs, cpu, wall }: Budget = { ...(depth ? depthTable[depth].budget : {}), ...own }
  return {
    ...(usd === undefined ? {} : { microUsd: Math.round(usd * 1_000_000) }),
    ...(tokens === undefined ? {} : { tokens }),
    ...(runs === undefined ? {} : { runs }),
    ...(cpu === undefined ? {} : { cpuMs: parseDuration(cpu) }),
    ...(wall === undefined ? {} : { wallMs: parseDuration(wall) }),
  }
}

export function resolveConcurrency(
  own: Concurrency | undefined,
  context: EvaluationContext,
): { key: string; limit: number } | null {
  return own === undefined ? null : { key: evaluateText(own.key, context), limit: own.limit ?? 1 }
}

/** @param asked by whoever started the run: it goes before what was written down */
export function depthOf(
  step: MappedStep | { kind: string },
  defaults: Defaults,
  asked: Depth | null = null,
): Depth | null {
  if (step.kind !== 'agent') return null
  return asked ?? (step as StepOf<'agent'>).agent.depth ?? defaults.depth ?? 'standard'
}
