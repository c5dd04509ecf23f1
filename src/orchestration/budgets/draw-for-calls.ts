import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import { drawOnSubscriptions, type IdentifiedUse } from './draw-on-subscriptions.ts'
import { reportSpending } from './report-spending.ts'
import type { SubscriptionPort } from './subscription-port.ts'

/** A call of a model that was paid for by a subscription. */
export interface SubscribedCall {
  readonly tenant: TenantId
  /** Of the call: the same twice counts once. */
  readonly id: string
  readonly subscription: string
  readonly tokens: number
  readonly runId: string | null
  readonly taskId: string | null
  readonly agentId: string | null
  readonly workflow: string | null
  readonly team: string | null
  /** It counts in the windows of budgets of that moment. */
  readonly startedAt: Date
}

/** Draws what calls took on their subscriptions, and counts it in the budgets of shares. Whoever has no such subscription draws on nothing. */
export async function drawForCalls(
  tx: Tx,
  port: SubscriptionPort,
  calls: readonly SubscribedCall[],
  now: Date,
): Promise<void> {
  const uses = calls.map((call): IdentifiedUse => {
    const { tenant, subscription, tokens, runId, taskId, agentId, workflow, team, startedAt } = call
    const places = { tenant: tenant as string, team, workflow, run: runId, task: taskId, agent: agentId }
    return {
      ...{ tenant, pool: null, subscription, tokens, requests: 1, percent: null, resetsAt: null },
      account: {
        ...{ tenant, id: `rsv_call_${call.id}`, runId, taskId, attempt: null, agentId, budgetIds: [] },
        since: startedAt,
        scopes: Object.entries(places).flatMap(([scope, scopeId]) => (scopeId === null ? [] : [{ scope, scopeId }])),
      },
    }
  })
  await reportSpending(tx, await drawOnSubscriptions(tx, port, uses, now), now)
}
