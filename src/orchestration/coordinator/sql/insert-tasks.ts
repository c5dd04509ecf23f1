import type { RunId, TaskId, TenantId } from '../../../foundation/kernel/ids.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import type { ResolvedTask } from '../../workflows/workflow-contract.ts'
import { type OwnSpec, sharedKeyOf, splitSpecs } from '../shared-spec.ts'
import { chunksOf } from './chunks-of.ts'
import { insertSharedSpecs, type SharedSpec } from './shared-specs.ts'
import { insertTaskEvents } from './task-events.ts'

export interface NewTask {
  readonly tenant: TenantId
  readonly taskId: TaskId
  readonly runId: RunId
  readonly step: string
  readonly item: number | null
  readonly spec: ResolvedTask
  readonly pool: string
  readonly lane: string
  readonly priority: number
  readonly timeoutMs: number
  /** Keys whose places it needs; their groups exist. */
  readonly concurrency: readonly string[]
  readonly budgetIds: readonly string[]
  /** Beside `budgetIds`: what an attempt may use at most. */
  readonly holds: readonly number[]
  /** Null: ready. Otherwise it starts out waiting. */
  readonly waitsFor: string | null
}

export async function insertTasks(tx: Tx, tasks: readonly NewTask[], now: Date): Promise<void> {
  if (tasks.length === 0) return
  const { shared, own } = split(tasks)
  const rows = tasks.map((task, n) => ({ task, own: own[n] ?? null }))
  await insertSharedSpecs(tx, shared)
  for (const chunk of chunksOf(rows)) insertChunk(tx, chunk, now)
}

function insertChunk(
  tx: Tx,
  rows: readonly { readonly task: NewTask; readonly own: string | null }[],
  now: Date,
): void {
  const tasks = rows.map(({ task }) => task)
  tx.post({
    name: 'insert-tasks',
    text: `
      with added as (
        insert into tasks (tenant_id, id, run_id, step, item, state, reason, pool, lane, priority, timeout_ms, concurrency,
          budget_ids, holds, spec, created_at)
        select i.tenant_id, i.id, i.run_id, i.step, i.item, case when i.reason is null then 'ready' else 'waiting' end, i.reason,
          i.pool, i.lane, i.priority, i.timeout_ms, i.concurrency::text[], i.budget_ids::text[], i.holds::bigint[], i.spec, $15
        from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[], $8::text[],
          $9::smallint[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::jsonb[])
          as i(tenant_id, id, run_id, step, item, reason, pool, lane, priority, timeout_ms, concurrency, budget_ids, holds, spec)
        returning tenant_id, id, run_id, step, item, state, reason)${insertTaskEvents({
          type: "'task.' || state",
          rev: '1',
          at: '$15',
          data: "json_strip_nulls(json_build_object('step', step, 'item', item, 'reason', reason))::text",
          from: 'added',
        })}`,
    values: [
      tasks.map((t) => t.tenant),
      tasks.map((t) => t.taskId),
      tasks.map((t) => t.runId),
      tasks.map((t) => t.step),
      tasks.map((t) => t.item),
      tasks.map((t) => t.waitsFor),
      tasks.map((t) => t.pool),
      tasks.map((t) => t.lane),
      tasks.map((t) => t.priority),
      tasks.map((t) => t.timeoutMs),
      // Arrays of arrays of different lengths do not exist in PostgreSQL: the inner ones travel as text.
      tasks.map((t) => arrayText(t.concurrency)),
      tasks.map((t) => arrayText(t.budgetIds)),
      tasks.map((t) => (t.holds.length === 0 ? null : `{${t.holds.join(',')}}`)),
      rows.map(({ own }) => own),
      now,
    ],
  })
}

/** The kinds that come in numbers and are written most often. The others keep all that is theirs in their own row. */
const sharing: ReadonlySet<string> = new Set(['command', 'script', 'agent'])

/** What the tasks of one step share is kept once; each keeps what is its own. */
function split(tasks: readonly NewTask[]): { shared: SharedSpec[]; own: (string | null)[] } {
  const shared: SharedSpec[] = []
  const own = new Map<NewTask, OwnSpec | null>()
  for (const task of tasks) own.set(task, task.spec as unknown as OwnSpec)
  const alike = tasks.filter((task) => sharing.has(task.spec.kind))
  for (const [name, group] of Map.groupBy(alike, (task) => `${task.tenant}/${sharedKeyOf(task.taskId)}`)) {
    const parts = splitSpecs(group.map((task) => task.spec))
    shared.push({ tenant: group[0]!.tenant, key: name.slice(name.indexOf('/') + 1), spec: parts.shared })
    group.forEach((task, n) => {
      own.set(task, parts.own[n]!)
    })
  }
  return { shared, own: tasks.map((task) => jsonOrNull(own.get(task)!)) }
}

function jsonOrNull(spec: OwnSpec | null): string | null {
  return spec === null ? null : JSON.stringify(spec)
}

function arrayText(items: readonly string[]): string | null {
  if (items.length === 0) return null
  return `{${items.map((item) => `"${item.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}`
}
