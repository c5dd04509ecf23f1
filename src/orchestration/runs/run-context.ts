import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { depthSchema } from '../workflows/policies-contract.ts'
import type { Depth, ExpressionContext, StepView } from '../workflows/workflow-contract.ts'
import type { RunRef, RunRow, StepRow } from './run-rows.ts'
import { taskRange } from './task-ids-contract.ts'

/** What some steps of a run have put out so far, by step. Each output of a map is a list, in the order of its items, null where an item gave none. */
export async function readStepOutputs(
  tx: ReadTx,
  ref: RunRef,
  steps: readonly string[],
): Promise<ReadonlyMap<string, JsonObject>> {
  const prefix = taskRange(ref.runId).from
  const rows = await tx.query<{ step: string; outputs: JsonValue; items: JsonValue[] | null; single: JsonValue }>(sql`
    select s.step, s.outputs,
      (select json_agg(t.output order by t.item) from tasks t
        where t.tenant_id = s.tenant_id and t.id >= ${prefix} || s.position || '.' and t.id < ${prefix} || s.position || '/' and t.item is not null) as items,
      (select t.output from tasks t
        where t.tenant_id = s.tenant_id and t.id >= ${prefix} || s.position || '.' and t.id < ${prefix} || s.position || '/' and t.item is null
        order by t.created_at desc, t.id desc limit 1) as single
    from run_steps s
    where s.tenant_id = ${ref.tenant} and s.run_id = ${ref.runId} and s.step = any (${steps}::text[])`)
  return new Map(
    rows.map((row) => {
      if (row.outputs !== null) return [row.step, asObject(row.outputs)]
      if (row.items !== null) return [row.step, transpose(row.items.map(asObject))]
      return [row.step, asObject(row.single)]
    }),
  )
}

/** What `${{ }}` sees in a run. */
export function contextOf(
  run: RunRow,
  steps: readonly StepRow[],
  outputs: ReadonlyMap<string, JsonObject>,
): ExpressionContext {
  const views: Record<string, StepView> = {}
  for (const step of steps) {
    const error = step.error ?? (step.state === 'failed' ? { code: 'failed', message: step.reason ?? 'failed' } : null)
    views[step.step] = { state: step.state, outputs: outputs.get(step.step) ?? {}, error }
  }
  return {
    inputs: run.inputs,
    steps: views,
    run: {
      id: run.id,
      name: run.labels.name ?? run.workflow,
      workflow: run.workflow,
      attempt: Number(run.labels.attempt ?? 1),
      state: run.outcome ?? run.state,
      startedAt: (run.startedAt ?? run.createdAt).toISOString(),
      depth: depthOfLabels(run.labels),
    },
    repo: { path: run.repo?.path ?? '', commit: run.repo?.commit ?? '', branch: run.repo?.branch ?? '' },
  }
}

/** The depth that a run was started with. */
export function depthOfLabels(labels: Readonly<Record<string, string>>): Depth | null {
  return depthSchema.safeParse(labels.depth).data ?? null
}

function transpose(items: readonly JsonObject[]): JsonObject {
  const names = new Set(items.flatMap((item) => Object.keys(item)))
  return Object.fromEntries([...names].map((name) => [name, items.map((item) => item[name] ?? null)]))
}

function asObject(value: JsonValue): JsonObject {
  if (value === null) return {}
  return typeof value === 'object' && !Array.isArray(value) ? (value as JsonObject) : { value }
}
