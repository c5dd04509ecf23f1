import type { AgentId, RunId, RunnerId, TaskId, TenantId } from '../../../foundation/kernel/ids.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import type { OwnSpec } from '../shared-spec.ts'
import { byKey } from './by-key.ts'
import { inIdOrder } from './in-id-order.ts'
import { attemptData, insertTaskEvents } from './task-events.ts'

export interface LeasedTask {
  readonly tenant: TenantId
  readonly taskId: TaskId
  readonly runId: RunId
  readonly step: string
  readonly item: number | null
  readonly attempt: number
  readonly fence: number
  readonly agentId: AgentId
  readonly runnerId: RunnerId
  /** Its own part of the specification, for the runner that asked; others fetch theirs. */
  readonly spec: OwnSpec | null
}

/**
 * Writes a decision: leases the tasks that are still ready and appends one event a task. The agents' slots and the budgets,
 * rows shared with others, are for the caller to write last.
 *
 * `t.state || ''` keeps the planner from the index of all ready tasks: it must come by the primary key, however old the
 * statistics are (a factor of six at 40,000 ready tasks otherwise).
 */
export async function assignTasks(
  tx: Tx,
  decided: readonly {
    readonly tenant: TenantId
    readonly taskId: string
    readonly agentId: string
    readonly runnerId: string
  }[],
  now: Date,
  graceMs: number,
  forRunner: string | null,
): Promise<readonly LeasedTask[]> {
  const input = inIdOrder(decided)
  const rows = await tx.query<Row>({
    name: 'assign-tasks',
    text: `
      with input as materialized (
        select * from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as i(tenant_id, id, agent_id, runner_id)
        where ${byKey}),
      leased as (
        update tasks t set state = 'leased', reason = null, rev = t.rev + 1, attempt = t.attempt + 1,
          fence = nextval('fences'), agent_id = i.agent_id, runner_id = i.runner_id, leased_at = $5, started_at = null,
          progress_at = $5, lease_until = $5::timestamptz + (t.timeout_ms + $6) * interval '1 millisecond'
        from input i
        where t.tenant_id = i.tenant_id and t.id = i.id and t.state || '' = 'ready'
        returning t.tenant_id, t.id, t.run_id, t.step, t.item, t.rev, t.attempt, t.fence, t.agent_id, t.runner_id,
          case when t.runner_id = $7 then coalesce(t.spec, '{}') end as spec),
      logged as (${insertTaskEvents({ type: "'task.leased'", at: '$5', data: attemptData, from: 'leased' })})
      select tenant_id, id, run_id, step, item, attempt, fence, agent_id, runner_id, spec from leased`,
    values: [
      input.map((i) => i.tenant),
      input.map((i) => i.taskId),
      input.map((i) => i.agentId),
      input.map((i) => i.runnerId),
      now,
      graceMs,
      forRunner,
    ],
  })
  return rows.map((row) => ({
    tenant: row.tenant_id,
    taskId: row.id,
    runId: row.run_id,
    step: row.step,
    item: row.item,
    attempt: row.attempt,
    fence: row.fence,
    agentId: row.agent_id,
    runnerId: row.runner_id,
    spec: row.spec,
  }))
}

interface Row {
  tenant_id: TenantId
  id: TaskId
  run_id: RunId
  step: string
  item: number | null
  attempt: number
  fence: number
  agent_id: AgentId
  runner_id: RunnerId
  spec: OwnSpec | null
}
