import type { AgentId, RunId, RunnerId, TaskId, TenantId } from '../../../foundation/kernel/ids.ts'
import type { Tx } from '../../../foundation/platform/database/database.ts'
import { itemOfTask, runOfTask } from '../../runs/task-ids-contract.ts'
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
 * rows shared with others, are for the caller to write last. With `allOrNone` the transaction is lost, and tried again, where
 * a task is no longer ready.
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
  allOrNone = false,
): Promise<readonly LeasedTask[]> {
  const input = inIdOrder(decided)
  const { agents, numbers } = numberAgents(input)
  const rows = await tx.query<Row | { readonly n: null }>({
    name: 'assign-tasks',
    text: `
      with input as materialized (
        select ($3::text[])[i.agent] as tenant_id, i.id, ($4::text[])[i.agent] as agent_id, ($5::text[])[i.agent] as runner_id, i.n
        from unnest($1::text[], $2::smallint[]) with ordinality as i(id, agent, n)
        where ${byKey}),
      leased as (
        update tasks t set state = 'leased', reason = null, rev = t.rev + 1, attempt = t.attempt + 1,
          fence = nextval('fences'), agent_id = i.agent_id, runner_id = i.runner_id, leased_at = $6, started_at = null,
          progress_at = $6, lease_until = $6::timestamptz + (t.timeout_ms + $7) * interval '1 millisecond'
        from input i
        where t.tenant_id = i.tenant_id and t.id = i.id and t.state || '' = 'ready'
        returning t.tenant_id, t.id, t.run_id, t.step, t.item, t.rev, t.attempt, t.fence, t.agent_id, i.n,
          case when t.runner_id = $8 then t.spec end as spec),
      logged as (${insertTaskEvents({ type: "'task.leased'", at: '$6', data: attemptData, from: 'leased' })})
      select n, step, attempt, fence, spec
      from (select conflict_unless(not $9 or count(*) = cardinality($1), 'a task changed meanwhile') from leased) as checked
      left join leased on true`,
    values: [
      input.map((i) => i.taskId),
      numbers,
      agents.map((i) => i.tenant),
      agents.map((i) => i.agentId),
      agents.map((i) => i.runnerId),
      now,
      graceMs,
      forRunner,
      allOrNone,
    ],
  })
  // The row that only tells of the check stands alone where nothing was leased.
  return rows.filter(isLeased).map(({ n, step, attempt, fence, spec }) => {
    const { tenant, taskId, agentId, runnerId } = input[n - 1]!
    return {
      tenant,
      taskId: taskId as TaskId,
      runId: runOfTask(taskId),
      step,
      item: itemOfTask(taskId),
      attempt,
      fence,
      agentId: agentId as AgentId,
      runnerId: runnerId as RunnerId,
      spec: runnerId === forRunner ? (spec ?? nothing) : null,
    }
  })
}

const nothing: OwnSpec = Object.freeze({})

interface Assignee {
  readonly tenant: TenantId
  readonly agentId: string
  readonly runnerId: string
}

/** The agents that get tasks, once each, and for each task the number of its own, from 1. Most get many. */
function numberAgents(input: readonly Assignee[]): { readonly agents: Assignee[]; readonly numbers: number[] } {
  const agents: Assignee[] = []
  const known = new Map<string, number>()
  const numbers = input.map((item, n) => {
    const last = agents.at(-1)
    if (n > 0 && last?.agentId === item.agentId && last.tenant === item.tenant) return agents.length
    const key = `${item.tenant}/${item.agentId}`
    let number = known.get(key)
    if (number === undefined) {
      number = agents.push(item)
      known.set(key, number)
    }
    return number
  })
  return { agents, numbers }
}

function isLeased(row: Row | { readonly n: null }): row is Row {
  return row.n !== null
}

interface Row {
  n: number
  step: string
  attempt: number
  fence: number
  spec: OwnSpec | null
}
