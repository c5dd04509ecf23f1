import type { JsonValue } from '../../foundation/kernel/json.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import type { KnownBudget } from '../budgets/budget-rules-contract.ts'
import type { ResolvedTask } from '../workflows/workflow-contract.ts'
import { failedChecks, gateVerdict } from './gate-verdict.ts'
import { stepStateOf } from './next-moves.ts'
import type { RunChanges } from './run-changes.ts'
import { keyOf, type RunRow, type StepRow } from './run-rows.ts'
import type { TaskState } from './states-contract.ts'
import { type ActivationTools, addReview } from './step-activation.ts'
import { taskRange } from './task-ids.ts'

interface Live {
  run: RunRow
  readonly steps: Map<string, StepRow>
  readonly budgets: readonly KnownBudget[] | null
}

interface Summary {
  readonly tenant_id: string
  readonly run_id: string
  readonly step: string
  readonly failed: number
  readonly timed_out: number
  readonly cancelled: number
  readonly reason: string | null
  readonly error: { readonly code: string; readonly message: string } | null
  /** Of a gate, its last task. */
  readonly gate: ResolvedTask | null
  readonly output: JsonValue
}

/** Ends the steps whose tasks have all ended. A gate may ask people first: then it stays open with one task more. */
export async function closeSteps(
  tx: Tx,
  lives: readonly Live[],
  tools: ActivationTools,
  changes: RunChanges,
  now: Date,
): Promise<void> {
  const due = lives.flatMap((live) =>
    [...live.steps.values()]
      .filter((row) => (row.state === 'running' || row.state === 'waiting') && row.total > 0 && row.open === 0)
      .map((row) => ({ live, row })),
  )
  if (due.length === 0) return
  const summaries = await summarise(tx, due)
  for (const { live, row } of due) {
    const ref = { tenant: live.run.tenant, runId: live.run.id }
    const summary = summaries.get(`${keyOf(ref)}/${row.step}`)!
    const closed = close(live, row, summary, tools, changes, now)
    live.steps.set(row.step, closed)
    changes.step(ref, closed, closed.open > 0)
  }
}

function close(
  live: Live,
  row: StepRow,
  summary: Summary,
  tools: ActivationTools,
  changes: RunChanges,
  now: Date,
): StepRow {
  const failed = summary.failed + summary.timed_out
  const state: TaskState = stepStateOf({
    total: row.total,
    failed,
    cancelled: summary.cancelled,
    tolerate: row.tolerate,
  })
  if (state === 'succeeded' && summary.gate?.kind === 'gate') {
    const verdict = gateVerdict(summary.gate, summary.output)
    const outputs = { verdict: verdict.verdict, failed: failedChecks(verdict) }
    if (verdict.verdict === 'block') {
      const message = `the gate is closed: ${outputs.failed}`
      return {
        ...row,
        state: 'failed',
        reason: message,
        error: { code: 'gate-blocked', message },
        outputs,
        endedAt: now,
      }
    }
    if (verdict.verdict === 'review') {
      addReview({ run: live.run, step: row, budgets: live.budgets ?? [], now }, tools, changes, summary.gate, outputs)
      return { ...row, state: 'waiting', total: row.total + 1, open: 1 }
    }
    return { ...row, state: 'succeeded', outputs, endedAt: now }
  }
  const single = row.total === 1
  const ended: TaskState = state === 'failed' && single && summary.timed_out > 0 ? 'timed-out' : state
  const reason =
    state === 'succeeded'
      ? failed > 0
        ? `${failed} of ${row.total} failed, as tolerated`
        : null
      : reasonOf(row, summary, failed)
  return { ...row, state: ended, reason, error: state === 'succeeded' ? null : summary.error, failed, endedAt: now }
}

function reasonOf(row: StepRow, summary: Summary, failed: number): string | null {
  if (row.total <= 1 || failed === 0) return summary.reason
  return `${failed} of ${row.total} failed, the first: ${summary.reason ?? summary.error?.message ?? 'without a reason'}`
}

async function summarise(
  tx: Tx,
  due: readonly { readonly live: Live; readonly row: StepRow }[],
): Promise<ReadonlyMap<string, Summary>> {
  const ranges = due.map((d) => taskRange(d.live.run.id, d.row.position))
  const rows = await tx.query<Summary>(sql`
    select w.tenant_id, w.run_id, w.step, s.* from unnest(${due.map((d) => d.live.run.tenant)}::text[],
      ${due.map((d) => d.live.run.id)}::text[], ${due.map((d) => d.row.step)}::text[], ${ranges.map((r) => r.from)}::text[],
      ${ranges.map((r) => r.to)}::text[]) as w(tenant_id, run_id, step, first, past)
    cross join lateral (
      select count(*) filter (where t.state = 'failed')::int as failed,
        count(*) filter (where t.state = 'timed-out')::int as timed_out,
        count(*) filter (where t.state = 'cancelled')::int as cancelled,
        (array_agg(t.reason order by t.ended_at) filter (where t.state in ('failed', 'timed-out', 'cancelled')))[1] as reason,
        (array_agg(t.error order by t.ended_at) filter (where t.state in ('failed', 'timed-out')))[1] as error,
        (array_agg(t.spec order by t.created_at desc) filter (where t.spec->>'kind' = 'gate' and t.item is null
          and not exists (select 1 from tasks o where o.tenant_id = w.tenant_id and o.id >= w.first and o.id < w.past and o.spec->>'kind' = 'approval')))[1] as gate,
        (array_agg(t.output) filter (where t.item is null))[1] as output
      from tasks t where t.tenant_id = w.tenant_id and t.id >= w.first and t.id < w.past) s`)
  return new Map(rows.map((row) => [`${row.tenant_id}/${row.run_id}/${row.step}`, row]))
}
