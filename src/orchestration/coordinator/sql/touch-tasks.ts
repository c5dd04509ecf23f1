import type { Tx } from '../../../foundation/platform/database/database.ts'
import type { ProgressReport } from '../../runners/exchange-contract.ts'
import { byKey } from './by-key.ts'
import { chunksOf } from './chunks-of.ts'
import { inIdOrder } from './in-id-order.ts'
import { attemptData, insertTaskEvents } from './task-events.ts'

/** Records progress; the first of an attempt makes a leased task running. Stale fences change nothing. */
export async function touchTasks(tx: Tx, given: readonly ProgressReport[], now: Date): Promise<void> {
  for (const chunk of chunksOf(inIdOrder(given))) await touchChunk(tx, chunk, now)
}

async function touchChunk(tx: Tx, reports: readonly ProgressReport[], now: Date): Promise<void> {
  await tx.execute({
    name: 'touch-tasks',
    text: `
      with input as materialized (
        select * from unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[]) as i(tenant_id, id, fence, at)
        where ${byKey}),
      old as materialized (
        select t.tenant_id, t.id, t.state, i.at from input i join tasks t on t.tenant_id = i.tenant_id and t.id = i.id
        where t.fence = i.fence and t.state || '' in ('leased', 'running') order by t.tenant_id, t.id for update of t),
      touched as (
        update tasks t set state = 'running', progress_at = o.at, started_at = coalesce(t.started_at, o.at),
          rev = t.rev + (o.state = 'leased')::int
        from old o where t.tenant_id = o.tenant_id and t.id = o.id
        returning t.tenant_id, t.id, t.rev, t.run_id, t.step, t.item, t.attempt, t.agent_id, o.state as was)${insertTaskEvents({ type: "'task.running'", at: '$5', data: attemptData, from: "touched where was = 'leased'" })}`,
    values: [
      reports.map((r) => r.tenant),
      reports.map((r) => r.taskId),
      reports.map((r) => r.fence),
      reports.map((r) => r.at),
      now,
    ],
  })
}
