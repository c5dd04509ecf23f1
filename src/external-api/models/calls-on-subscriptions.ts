import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import type { SubscribedCall } from '../../orchestration/budgets/draw-for-calls.ts'
import type { ModelCall } from './calls-store.ts'
import { readAccountsOfKeys } from './keys/keys-store.ts'

export interface CallsOnSubscriptions {
  /** The subscription that an account works on; null: its calls are paid one by one. */
  readonly subscriptionOf: (account: string) => string | null
  /** The `budgets` part provides it. */
  readonly draw: (tx: Tx, calls: readonly SubscribedCall[], now: Date) => Promise<void>
}

/** Draws calls on the subscriptions of their accounts. What nobody has counted takes all that was held for it; a refusal takes nothing. */
export async function drawCalls(
  tx: Tx,
  { subscriptionOf, draw }: CallsOnSubscriptions,
  calls: readonly ModelCall[],
  now: Date,
): Promise<void> {
  const subscribed = calls.flatMap((call) => {
    const subscription = call.outcome === 'refused' ? null : subscriptionOf(call.account)
    return subscription === null ? [] : [{ call, subscription }]
  })
  if (subscribed.length === 0) return
  const keys = subscribed.flatMap(({ call: { tenant, keyId } }) => (keyId === null ? [] : [{ tenant, keyId }]))
  const accounts = new Map((await readAccountsOfKeys(tx, keys)).map((key) => [nameOf(key.tenant, key.keyId), key]))
  await draw(
    tx,
    subscribed.map(({ call, subscription }): SubscribedCall => {
      const { tenant, id, keyId, runId, taskId, agentId, startedAt } = call
      const { workflow = null, team = null } = accounts.get(nameOf(tenant, keyId)) ?? {}
      return { tenant, id, subscription, runId, taskId, agentId, workflow, team, startedAt, tokens: tokensOfCall(call) }
    }),
    now,
  )
}

function tokensOfCall(call: ModelCall): number {
  const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens } = call
  return call.counted ? inputTokens + outputTokens + cacheReadTokens + cacheWriteTokens : call.heldTokens
}

function nameOf(tenant: TenantId, keyId: string | null): string {
  return `${tenant}/${keyId ?? ''}`
}
