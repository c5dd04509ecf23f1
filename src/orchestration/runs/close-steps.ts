import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { prepared } from '../../foundation/platform/database/sql.ts'
import type { CheckedGate } from '../approvals/gate-experience.ts'
import type { KnownBudget } from '../budgets/budget-rules-contract.ts'
import type { TaskRef } from '../coordinator/task-queue.ts'
import type { ResolvedGate } from '../workflows/task-contract.ts'
import type { ResolvedTask, WorkflowDefinition } from '../workflows/workflow-contract.ts'
import { stepStateOf } from './next-moves.ts'
import type { RunChanges } from './run-changes.ts'
import { keyOf, type RunRow, type StepRow } from './run-rows.ts'
import type { TaskState } from './states-contract.ts'
import { type ActivationTools, judge } from './step-activation.ts'
import { taskIdOf, taskRange } from './task-ids-contract.ts'

interface Live {
  run: RunRow
  readonly definition: WorkflowDefinition
  readonly steps: Map<string, StepRow>
  readonly budgets: readonly KnownBudget[] | null
}

interface Summary {
  readonly failed: number
  readonly timed_out: number
  readonly cancelled: number
  readonly reason: string | null
  readonly error: { readonly code: string; readonly message: string } | null
  /** Of the newest task, where the step is no map. */
  readonly output: JsonValue
}

export interface CloseTools extends ActivationTools {
  /** What these tasks were to do, by task id; the `coordinator` part provides it. */
  readonly specsOf: (tx: Tx, tasks: readonly TaskRef[]) => Promise<ReadonlyMap<string, ResolvedTask>>
  /** What gates found, as it counts after what was learned of such work, by task id; the `approvals` part provides it. */
  readonly applyExperience: (
    tx: Tx,
    gates: readonly CheckedGate[],
    now: Date,
  ) => Promise<ReadonlyMap<string, JsonValue>>
}

/** A step whose tasks have all ended. */
interface Due {
  readonly live: Live
  readonly row: StepRow
  /** The first task of a gate whose checks have run: they are to be judged. */
  readonly checked: TaskRef | null
}

/** Ends the steps whose tasks have all ended. A gate may ask people first: then it stays open with one task more. */
export async function closeSteps(
  tx: Tx,
  lives: readonly Live[],
  tools: CloseTools,
  changes: RunChanges,
  now: Date,
): Promise<void> {
  const due = lives.flatMap((live) => [...live.steps.values()].filter(isDue).map((row) => dueOf(live, row)))
  if (due.length === 0) return
  const summaries = await summarise(
    tx,
    due.filter((item) => !isPlain(item)),
  )
  const checked = due.flatMap((item) => item.checked ?? [])
  const specs = checked.length === 0 ? new Map<string, ResolvedTask>() : await tools.specsOf(tx, checked)
  const found = due.flatMap(({ live, row, checked }): CheckedGate[] => {
    const output = summaries.get(`${live.run.tenant}/${live.run.id}/${row.step}`)?.output ?? null
    return checked === null ? [] : [{ ...checked, runId: live.run.id, step: row.step, output }]
  })
  const outputs = found.length === 0 ? new Map<string, JsonValue>() : await tools.applyExperience(tx, found, now)
  for (const { live, row, checked } of due) {
    const ref = { tenant: live.run.tenant, runId: live.run.id }
    const summary = summaries.get(`${keyOf(ref)}/${row.step}`) ?? allWell
    const gate = checked === null ? null : (specs.get(checked.taskId) as ResolvedGate)
    const closed =
      gate !== null && summary.failed + summary.timed_out + summary.cancelled === 0
        ? judge(
            { run: live.run, step: row, budgets: live.budgets ?? [], now },
            gate,
            outputs.get(checked!.taskId) ?? null,
            tools,
            changes,
          )
        : close(row, summary, now)
    live.steps.set(row.step, closed)
    changes.step(ref, closed, closed.open > 0)
  }
}

/** A map all of whose items ended well: its counts say everything, however many there are. */
function isPlain({ live, row }: Due): boolean {
  const step = live.definition.steps[row.step] ?? live.definition.finally[row.step]
  return step?.kind === 'map' && row.failed === 0 && row.cancelled === 0
}

const allWell = { failed: 0, timed_out: 0, cancelled: 0, reason: null, error: null, output: null }

function isDue(row: StepRow): boolean {
  return (row.state === 'running' || row.state === 'waiting') && row.total > 0 && row.open === 0
}

function dueOf(live: Live, row: StepRow): Due {
  const step = live.definition.steps[row.step] ?? live.definition.finally[row.step]
  // A gate that has asked people has its verdict already.
  const isGate = step?.kind === 'gate' && row.outputs === null
  return {
    live,
    row,
    checked: isGate ? { tenant: live.run.tenant, taskId: taskIdOf(live.run.id, row.position, null) } : null,
  }
}

function close(row: StepRow, summary: Summary, now: Date): StepRow {
  const failed = summary.failed + summary.timed_out
  const state = stepStateOf({ total: row.total, failed, cancelled: summary.cancelled, tolerate: row.tolerate })
  // Of a gate that asked: its verdict, and who answered what.
  const asked = row.outputs !== null
  const outputs = asked ? { ...(row.outputs as JsonObject), ...answerOf(summary.output) } : row.outputs
  if (state === 'succeeded') {
    const reason = failed > 0 ? `${failed} of ${row.total} failed, as tolerated` : null
    return { ...row, state, reason, error: null, outputs, failed, endedAt: now }
  }
  const single = row.total === 1 || asked
  const ended: TaskState = state === 'failed' && single && summary.timed_out > 0 ? 'timed-out' : state
  const reason = single ? summary.reason : reasonOf(row, summary, failed)
  return { ...row, state: ended, reason, error: summary.error, outputs, failed, endedAt: now }
}

function answerOf(output: JsonValue): JsonObject {
  const { by = null, comment = null } = (output ?? {}) as { readonly by?: JsonValue; readonly comment?: JsonValue }
  return { by, comment }
}

function reasonOf(row: StepRow, summary: Summary, failed: number): string | null {
  if (failed === 0) return summary.reason
  return `${failed} of ${row.total} failed, the first: ${summary.reason ?? summary.error?.message ?? 'without a reason'}`
}

async function summarise(
  tx: Tx,
  due: readonly { readonly live: Live; readonly row: StepRow }[],
): Promise<ReadonlyMap<string, Summary>> {
  if (due.length === 0) return new Map()
  const ranges = due.map((d) => taskRange(d.live.run.id, d.row.position))
  const rows = await tx.query<
    Summary & { readonly tenant_id: string; readonly run_id: string; readonly step: string }
  >(prepared('summarise-steps')`
    select w.tenant_id, w.run_id, w.step, s.* from unnest(${due.map((d) => d.live.run.tenant)}::text[],
      ${due.map((d) => d.live.run.id)}::text[], ${due.map((d) => d.row.step)}::text[], ${ranges.map((r) => r.from)}::text[],
      ${ranges.map((r) => r.to)}::text[]) as w(tenant_id, run_id, step, first, past)
    cross join lateral (
      select count(*) filter (where t.state = 'failed')::int as failed,
        count(*) filter (where t.state = 'timed-out')::int as timed_out,
        count(*) filter (where t.state = 'cancelled')::int as cancelled,
        (array_agg(t.reason order by t.ended_at) filter (where t.state in ('failed', 'timed-out', 'cancelled')))[1] as reason,
        (array_agg(t.error order by t.ended_at) filter (where t.state in ('failed', 'timed-out')))[1] as error,
        (array_agg(t.output order by t.id desc) filter (where t.item is null))[1] as output
      from tasks t where t.tenant_id = w.tenant_id and t.id >= w.first and t.id < w.past) s`)
  return new Map(rows.map((row) => [`${row.tenant_id}/${row.run_id}/${row.step}`, row]))
}
