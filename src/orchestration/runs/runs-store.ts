import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import type { ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { prepared, type Query, sql } from '../../foundation/platform/database/sql.ts'
import { appendEvents, type NewEvent } from '../../foundation/runtime/event-log.ts'
import { runErrors } from './run-errors.ts'
import { keyOf, type RunOriginKind, type RunRef, type RunRow, type StepRow } from './run-rows.ts'

const runColumns: Query = sql`r.tenant_id, r.id, r.workflow, r.version, r.state, r.rev, r.inputs, r.outputs, r.error,
  r.repo_path, r.repo_commit, r.repo_branch, r.priority, r.parallel, r.concurrency_key, r.labels, r.origin_kind, r.origin_id,
  r.parent_task, r.cancel_requested, r.outcome, r.created_at, r.started_at, r.ended_at`

/** Locks runs in id order until the transaction ends. */
export async function lockRuns(tx: Tx, refs: readonly RunRef[]): Promise<RunRow[]> {
  const rows = await tx.query<RunColumns>(prepared('lock-runs')`
    select ${runColumns} from unnest(${refs.map((r) => r.tenant)}::text[], ${refs.map((r) => r.runId)}::text[]) as w(tenant_id, id)
    join runs r on r.tenant_id = w.tenant_id and r.id = w.id
    order by r.tenant_id, r.id for update of r`)
  return rows.map(toRun)
}

export async function findRun(tx: ReadTx, tenant: TenantId, id: string): Promise<RunRow | null> {
  const rows = await tx.query<RunColumns>(prepared('find-run')`
    select ${runColumns} from runs r where r.tenant_id = ${tenant} and r.id = ${id}`)
  return rows[0] === undefined ? null : toRun(rows[0])
}

/** The runs that wait for this one, directly or through others, the nearest first. */
export async function callersOf(
  tx: ReadTx,
  run: Pick<RunRow, 'tenant' | 'origin'>,
): Promise<readonly { readonly id: string; readonly workflow: string }[]> {
  if (run.origin?.kind !== 'sub-run') return []
  return tx.query(sql`
    with recursive up as (
      select id, workflow, origin_kind, origin_id, 1 as level from runs
      where tenant_id = ${run.tenant} and id = ${run.origin.id}
      union all
      select r.id, r.workflow, r.origin_kind, r.origin_id, up.level + 1
      from up join runs r on r.tenant_id = ${run.tenant} and r.id = up.origin_id
      where up.origin_kind = 'sub-run')
    select id, workflow from up order by level`)
}

/** Runs of a tenant, newest first, before the given place. */
export async function listRunRows(
  tx: ReadTx,
  tenant: TenantId,
  filter: {
    readonly state?: string | undefined
    readonly workflow?: string | undefined
    readonly before: { readonly at: Date; readonly id: string } | null
    readonly limit: number
  },
): Promise<RunRow[]> {
  const rows = await tx.query<RunColumns>(sql`
    select ${runColumns} from runs r
    where r.tenant_id = ${tenant} and (${filter.state ?? null}::text is null or r.state = ${filter.state ?? null})
      and (${filter.workflow ?? null}::text is null or r.workflow = ${filter.workflow ?? null})
      and (${filter.before?.at ?? null}::timestamptz is null or (r.created_at, r.id) < (${filter.before?.at ?? null}::timestamptz, ${filter.before?.id ?? null}))
    order by r.created_at desc, r.id desc limit ${filter.limit}`)
  return rows.map(toRun)
}

/** The steps of each run in the order of the definition, by `keyOf`. */
export async function readSteps(tx: ReadTx, refs: readonly RunRef[]): Promise<ReadonlyMap<string, readonly StepRow[]>> {
  const rows = await tx.query<StepColumns>(prepared('read-steps')`
    select s.* from unnest(${refs.map((r) => r.tenant)}::text[], ${refs.map((r) => r.runId)}::text[]) as w(tenant_id, run_id)
    join run_steps s on s.tenant_id = w.tenant_id and s.run_id = w.run_id and s.run_id = any (${refs.map((r) => r.runId)}::text[])
    order by s.tenant_id, s.run_id, s.position`)
  const result = new Map<string, StepRow[]>()
  for (const row of rows) {
    const key = keyOf({ tenant: row.tenant_id, runId: row.run_id })
    const list = result.get(key) ?? []
    list.push(toStep(row))
    result.set(key, list)
  }
  return result
}

/** Their first event is for the caller to append. */
export function insertRuns(tx: Tx, runs: readonly RunRow[]): void {
  if (runs.length === 0) return
  tx.post(prepared('insert-runs')`
    insert into runs (tenant_id, id, workflow, version, state, inputs, repo_path, repo_commit, repo_branch, priority, parallel,
      concurrency_key, labels, origin_kind, origin_id, parent_task, created_at, started_at)
    select * from unnest(${runs.map((r) => r.tenant)}::text[], ${runs.map((r) => r.id)}::text[], ${runs.map((r) => r.workflow)}::text[],
      ${runs.map((r) => r.version)}::int[], ${runs.map((r) => r.state)}::text[], ${runs.map((r) => JSON.stringify(r.inputs))}::jsonb[],
      ${runs.map((r) => r.repo?.path ?? null)}::text[], ${runs.map((r) => r.repo?.commit ?? null)}::text[],
      ${runs.map((r) => r.repo?.branch ?? null)}::text[], ${runs.map((r) => r.priority)}::smallint[],
      ${runs.map((r) => r.parallel)}::int[], ${runs.map((r) => r.concurrencyKey)}::text[],
      ${runs.map((r) => JSON.stringify(r.labels))}::jsonb[], ${runs.map((r) => r.origin?.kind ?? null)}::text[],
      ${runs.map((r) => r.origin?.id ?? null)}::text[], ${runs.map((r) => r.parentTask)}::text[],
      ${runs.map((r) => r.createdAt)}::timestamptz[], ${runs.map((r) => r.startedAt)}::timestamptz[])`)
}

export function runCreated(run: RunRow): NewEvent {
  return runEvent(run, 'run.created', run.createdAt, { workflow: run.workflow, version: run.version })
}

/** New steps as they are. The events of those that have begun, or ended, are for the caller to append. */
export function insertSteps(tx: Tx, steps: readonly (RunRef & { readonly row: StepRow })[]): void {
  if (steps.length === 0) return
  tx.post(prepared('insert-steps')`
    insert into run_steps (tenant_id, run_id, step, position, state, rev, reason, by_condition, total, open, tolerate, outputs, error,
      started_at, ended_at)
    select * from unnest(${steps.map((s) => s.tenant)}::text[], ${steps.map((s) => s.runId)}::text[], ${steps.map((s) => s.row.step)}::text[],
      ${steps.map((s) => s.row.position)}::int[], ${steps.map((s) => s.row.state)}::text[], ${steps.map((s) => s.row.rev)}::int[],
      ${steps.map((s) => s.row.reason)}::text[], ${steps.map((s) => s.row.byCondition)}::boolean[], ${steps.map((s) => s.row.total)}::int[],
      ${steps.map((s) => s.row.open)}::int[], ${steps.map((s) => s.row.tolerate)}::int[],
      ${steps.map((s) => (s.row.outputs === null ? null : JSON.stringify(s.row.outputs)))}::jsonb[],
      ${steps.map((s) => (s.row.error === null ? null : JSON.stringify(s.row.error)))}::jsonb[],
      ${steps.map((s) => s.row.startedAt)}::timestamptz[], ${steps.map((s) => s.row.endedAt)}::timestamptz[])`)
}

/** Writes changed runs over their former revisions, with one event each. */
export async function saveRuns(tx: Tx, runs: readonly RunRow[], now: Date): Promise<void> {
  await appendEvents(tx, writeRuns(tx, runs, now))
}

/** The same; the events are for the caller to append. */
export function writeRuns(tx: Tx, runs: readonly RunRow[], now: Date): readonly NewEvent[] {
  if (runs.length === 0) return []
  tx.post(prepared('save-runs')`
    update runs r set state = i.state, rev = r.rev + 1, outputs = i.outputs, error = i.error, cancel_requested = i.cancel_requested,
      outcome = i.outcome, started_at = i.started_at, ended_at = i.ended_at
    from unnest(${runs.map((r) => r.tenant)}::text[], ${runs.map((r) => r.id)}::text[], ${runs.map((r) => r.state)}::text[],
      ${runs.map((r) => (r.outputs === null ? null : JSON.stringify(r.outputs)))}::jsonb[],
      ${runs.map((r) => (r.error === null ? null : JSON.stringify(r.error)))}::jsonb[], ${runs.map((r) => r.cancelRequested)}::boolean[],
      ${runs.map((r) => r.outcome)}::text[], ${runs.map((r) => r.startedAt)}::timestamptz[], ${runs.map((r) => r.endedAt)}::timestamptz[])
      as i(tenant_id, id, state, outputs, error, cancel_requested, outcome, started_at, ended_at)
    where r.tenant_id = i.tenant_id and r.id = i.id`)
  return runs.map((run) => {
    const data = {
      workflow: run.workflow,
      ...(run.error === null ? {} : { error: run.error }),
      ...(run.cancelRequested ? { cancelRequested: true } : {}),
    }
    return runEvent({ ...run, rev: run.rev + 1 }, `run.${run.state}`, now, data)
  })
}

/**
 * Writes changed steps; their events are for the caller to append. `total` and `open` are set when a step is activated, and left alone after. That
 * every key is among those given follows from the join; said once more it has the planner come by the whole key, also where
 * the policy of a tenant has fixed the first part of it.
 */
export function writeSteps(
  tx: Tx,
  steps: readonly (RunRef & { readonly row: StepRow; readonly counts: boolean })[],
  now: Date,
): readonly NewEvent[] {
  if (steps.length === 0) return []
  tx.post(prepared('save-steps')`
    update run_steps s set state = i.state, rev = s.rev + 1, reason = i.reason, by_condition = i.by_condition,
      total = case when i.counts then i.total else s.total end, open = case when i.counts then i.open else s.open end,
      tolerate = case when i.counts then i.tolerate else s.tolerate end,
      outputs = i.outputs, error = i.error, started_at = i.started_at, ended_at = i.ended_at
    from unnest(${steps.map((s) => s.tenant)}::text[], ${steps.map((s) => s.runId)}::text[], ${steps.map((s) => s.row.step)}::text[],
      ${steps.map((s) => s.row.state)}::text[], ${steps.map((s) => s.row.reason)}::text[], ${steps.map((s) => s.row.byCondition)}::boolean[],
      ${steps.map((s) => s.counts)}::boolean[], ${steps.map((s) => s.row.total)}::int[], ${steps.map((s) => s.row.open)}::int[],
      ${steps.map((s) => s.row.tolerate)}::int[],
      ${steps.map((s) => (s.row.outputs === null ? null : JSON.stringify(s.row.outputs)))}::jsonb[],
      ${steps.map((s) => (s.row.error === null ? null : JSON.stringify(s.row.error)))}::jsonb[],
      ${steps.map((s) => s.row.startedAt)}::timestamptz[], ${steps.map((s) => s.row.endedAt)}::timestamptz[])
      as i(tenant_id, run_id, step, state, reason, by_condition, counts, total, open, tolerate, outputs, error, started_at, ended_at)
    where s.tenant_id = i.tenant_id and s.run_id = i.run_id and s.step = i.step
      and s.run_id = any (${steps.map((s) => s.runId)}::text[]) and s.step = any (${steps.map((s) => s.row.step)}::text[])`)
  return steps.map(({ row, ...ref }) => stepEvent({ ...ref, row: { ...row, rev: row.rev + 1 } }, now))
}

/** Writes changed steps with one event each. */
export async function saveSteps(tx: Tx, steps: Parameters<typeof writeSteps>[1], now: Date): Promise<void> {
  await appendEvents(tx, writeSteps(tx, steps, now))
}

/** What has become of a step, at the revision of its row. */
export function stepEvent({ tenant, runId, row }: RunRef & { readonly row: StepRow }, at: Date): NewEvent {
  const { step, state, rev, total, reason } = row
  const data = { step, total, ...(reason === null ? {} : { reason }) }
  return { tenant, type: `step.${state}`, subject: { kind: 'step', id: `${runId}/${step}`, rev }, runId, at, data }
}

function runEvent(run: RunRow, type: string, at: Date, data: JsonObject) {
  return { tenant: run.tenant, type, subject: { kind: 'run', id: run.id, rev: run.rev }, runId: run.id, at, data }
}

interface RunColumns {
  tenant_id: TenantId
  id: RunId
  workflow: string
  version: number
  state: RunRow['state']
  rev: number
  inputs: JsonObject
  outputs: JsonValue
  error: RunRow['error']
  repo_path: string | null
  repo_commit: string | null
  repo_branch: string | null
  priority: number | null
  parallel: number | null
  concurrency_key: string | null
  labels: Record<string, string>
  origin_kind: RunOriginKind | null
  origin_id: string | null
  parent_task: string | null
  cancel_requested: boolean
  outcome: RunRow['outcome']
  created_at: Date
  started_at: Date | null
  ended_at: Date | null
}

function toRun(row: RunColumns): RunRow {
  return {
    tenant: row.tenant_id,
    id: row.id,
    workflow: row.workflow,
    version: row.version,
    state: row.state,
    rev: row.rev,
    inputs: row.inputs,
    outputs: row.outputs,
    error: row.error,
    repo: row.repo_path === null ? null : { path: row.repo_path, commit: row.repo_commit, branch: row.repo_branch },
    priority: row.priority,
    parallel: row.parallel,
    concurrencyKey: row.concurrency_key,
    labels: row.labels,
    origin: row.origin_kind === null ? null : { kind: row.origin_kind, id: row.origin_id! },
    parentTask: row.parent_task,
    cancelRequested: row.cancel_requested,
    outcome: row.outcome,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  }
}

interface StepColumns {
  tenant_id: TenantId
  run_id: RunId
  step: string
  position: number
  state: StepRow['state']
  rev: number
  reason: string | null
  by_condition: boolean
  total: number
  open: number
  failed: number
  cancelled: number
  tolerate: number
  outputs: JsonValue
  error: StepRow['error']
  started_at: Date | null
  ended_at: Date | null
}

function toStep(row: StepColumns): StepRow {
  return {
    step: row.step,
    position: row.position,
    state: row.state,
    rev: row.rev,
    reason: row.reason,
    byCondition: row.by_condition,
    total: row.total,
    open: row.open,
    failed: row.failed,
    cancelled: row.cancelled,
    tolerate: row.tolerate,
    outputs: row.outputs,
    error: row.error,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  }
}

export async function runCreatedAt(tx: ReadTx, tenant: TenantId, id: string): Promise<Date> {
  const run = await findRun(tx, tenant, id)
  if (run === null) throw runErrors['run-not-found'](`there is no run ${id}`)
  return run.createdAt
}

/** Throws `run-not-found`: what is asked of a run that is not there, or is another tenant's, has no empty answer. */
export async function requireRun(tx: ReadTx, tenant: TenantId, id: string): Promise<void> {
  await runCreatedAt(tx, tenant, id)
}
