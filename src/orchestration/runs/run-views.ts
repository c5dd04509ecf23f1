import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonValue } from '../../foundation/kernel/json.ts'
import type { ModelTier } from '../../foundation/kernel/model-tier.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { ResolvedTask, WorkflowDefinition } from '../workflows/workflow-contract.ts'
import { depthOfLabels, readStepOutputs } from './run-context.ts'
import { keyOf, type RunRow, type StepRow } from './run-rows.ts'
import type { ArtifactView, RunDetail, RunView, StepView, TaskView } from './runs-contract.ts'
import { readSteps } from './runs-store.ts'
import { taskRange } from './task-ids-contract.ts'

export function toRunView(run: RunRow): RunView {
  return {
    id: run.id,
    workflow: run.workflow,
    version: run.version,
    state: run.state,
    rev: run.rev,
    inputs: run.inputs as RunView['inputs'],
    outputs: run.outputs as RunView['outputs'],
    error: run.error,
    repo: run.repo === null ? null : { path: run.repo.path, commit: run.repo.commit },
    priority: run.priority ?? 5,
    labels: { ...run.labels },
    depth: depthOfLabels(run.labels),
    origin: run.origin,
    createdAt: run.createdAt.toISOString(),
    startedAt: run.startedAt?.toISOString() ?? null,
    endedAt: run.endedAt?.toISOString() ?? null,
  }
}

/** What other parts know of a run; the context provides it. */
export interface DetailSources {
  artifactsOfRun(
    tx: ReadTx,
    tenant: TenantId,
    runId: string,
  ): Promise<readonly (ArtifactView & { readonly blob: string })[]>
  /** Why ready tasks have not started, by id. */
  explainWaiting(
    tx: ReadTx,
    tenant: TenantId,
    tasks: readonly { readonly id: string; readonly pool: string; readonly lane: string }[],
  ): Promise<ReadonlyMap<string, string>>
  /** What these tasks are to do, by id. */
  specsOf(
    tx: ReadTx,
    tasks: readonly { readonly tenant: TenantId; readonly taskId: string }[],
  ): Promise<ReadonlyMap<string, ResolvedTask>>
  /** The model that a pool names for a tier; null: none. */
  modelOf(pool: string, tier: ModelTier): string | null
}

/** A run with its steps, its tasks (at most 1,000, open ones first) and its artifacts. */
export async function readRunDetail(
  tx: ReadTx,
  run: RunRow,
  definition: WorkflowDefinition,
  others: DetailSources,
): Promise<RunDetail> {
  const ref = { tenant: run.tenant, runId: run.id }
  const steps = (await readSteps(tx, [ref])).get(keyOf(ref)) ?? []
  const outputs = await readStepOutputs(
    tx,
    ref,
    steps.filter((step) => step.state !== 'pending').map((step) => step.step),
  )
  const range = taskRange(run.id)
  const tasks = await tx.query<TaskColumns>(sql`
    select id, run_id, step, item, state, reason, pool, lane, attempt, agent_id, runner_id, priority, output, error, created_at, started_at, leased_at, ended_at
    from tasks where tenant_id = ${run.tenant} and id >= ${range.from} and id < ${range.to}
    order by ended_at is not null, step, item nulls first limit 1000`)
  const ready = tasks.filter((task) => task.state === 'ready')
  const reasons = await others.explainWaiting(tx, run.tenant, ready)
  const prompted = stepsWithAgents(definition)
  const specs = await others.specsOf(
    tx,
    tasks.filter((task) => prompted.has(task.step)).map((task) => ({ tenant: run.tenant, taskId: task.id })),
  )
  const artifacts = await others.artifactsOfRun(tx, run.tenant, run.id)
  return {
    run: toRunView(run),
    steps: steps.map((step) => toStepView(step, definition, outputs.get(step.step) ?? null)),
    tasks: tasks.map((task) => ({
      ...toTaskView({ ...task, reason: task.reason ?? reasons.get(task.id) ?? null }),
      agent: toAgentView(specs.get(task.id), task.pool, others.modelOf),
    })),
    artifacts: artifacts.map(({ blob: _, ...artifact }) => artifact),
  }
}

function toStepView(step: StepRow, definition: WorkflowDefinition, outputs: JsonValue): StepView {
  const source = definition.steps[step.step] ?? definition.finally[step.step]
  return {
    id: step.step,
    kind: source?.kind ?? 'command',
    needs: [...(source?.needs ?? [])],
    state: step.state,
    reason: step.reason,
    total: step.total,
    open: step.open,
    failed: step.failed,
    outputs: outputs as StepView['outputs'],
    startedAt: step.startedAt?.toISOString() ?? null,
    endedAt: step.endedAt?.toISOString() ?? null,
  }
}

interface TaskColumns {
  id: string
  run_id: string
  step: string
  item: number | null
  state: TaskView['state']
  reason: string | null
  pool: string
  lane: string
  attempt: number
  agent_id: string | null
  runner_id: string | null
  priority: number
  output: TaskView['output']
  error: TaskView['error']
  created_at: Date
  started_at: Date | null
  leased_at: Date | null
  ended_at: Date | null
}

/** The steps whose tasks, or the tasks of whose items, are prompts. */
function stepsWithAgents({ steps, finally: last }: WorkflowDefinition): ReadonlySet<string> {
  const all = Object.entries({ ...steps, ...last })
  return new Set(
    all.filter(([, step]) => (step.kind === 'map' ? step.map.step : step).kind === 'agent').map(([id]) => id),
  )
}

function toAgentView(
  spec: ResolvedTask | undefined,
  pool: string,
  modelOf: DetailSources['modelOf'],
): TaskView['agent'] {
  if (spec?.kind !== 'agent') return null
  const { persona = null, depth, timeoutMs, budget, config } = spec
  const tier = spec.tier ?? 'standard'
  const model = config.model ?? modelOf(pool, tier)
  const { microUsd = null, tokens = null } = budget
  return { persona, depth, tier, model, timeoutMs, budget: { microUsd, tokens } }
}

function toTaskView(row: TaskColumns): Omit<TaskView, 'agent'> {
  return {
    id: row.id,
    runId: row.run_id,
    step: row.step,
    item: row.item,
    state: row.state,
    reason: row.reason,
    attempt: row.attempt,
    agentId: row.agent_id,
    runnerId: row.runner_id,
    priority: row.priority,
    output: row.output,
    error: row.error,
    createdAt: row.created_at.toISOString(),
    startedAt: (row.started_at ?? row.leased_at)?.toISOString() ?? null,
    endedAt: row.ended_at?.toISOString() ?? null,
  }
}
