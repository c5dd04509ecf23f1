import type { Tx } from '../../foundation/platform/database/database.ts'
import type { AttemptSpending } from '../runners/exchange-contract.ts'
import type { ReportedSpending } from './report-spending.ts'
import { readStates } from './spenders-store.ts'
import type { SubscribedUse, SubscriptionPort } from './subscription-port.ts'

/** On whose account something was spent, without what. */
export type SpendingAccount = Omit<ReportedSpending, 'purpose' | 'units' | 'amounts' | 'countedIn'>

export interface IdentifiedUse extends SubscribedUse {
  readonly account: SpendingAccount
}

/** What was told, as subscriptions count it: a call of an agent is one request where it does not say how many it made. */
export function subscribedUseOf(
  spending: AttemptSpending,
): Pick<SubscribedUse, 'tokens' | 'requests' | 'percent' | 'resetsAt'> {
  const { inputTokens = 0, outputTokens = 0, cacheReadTokens = 0, cacheWriteTokens = 0, requests = 1 } = spending
  const { subscriptionPercent: percent, subscriptionResetsAt } = spending
  const resetsAt = subscriptionResetsAt === undefined ? null : new Date(subscriptionResetsAt)
  return {
    tokens: [inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens].reduce((sum, part) => sum + whole(part), 0),
    requests: whole(requests),
    percent: percent === undefined || !Number.isFinite(percent) ? null : Math.min(Math.max(percent, 0), 1_000),
    resetsAt: resetsAt === null || Number.isNaN(resetsAt.getTime()) ? null : resetsAt,
  }
}

/**
 * Draws on the subscriptions of these uses and returns what is to be recorded of it: an entry for each subscription, also
 * where it takes nothing, because the entry keeps a use that is told again from being drawn again.
 */
export async function drawOnSubscriptions(
  tx: Tx,
  port: SubscriptionPort,
  uses: readonly IdentifiedUse[],
  now: Date,
): Promise<readonly ReportedSpending[]> {
  if (uses.length === 0) return []
  const open = await port.lock(tx, uses)
  // Behind the lock: whoever told the same before has committed it.
  const known = await readStates(
    tx,
    uses.map(({ account: { tenant, id } }) => ({ tenant, id: shareId(id) })),
  )
  const entries = uses.flatMap((use): ReportedSpending[] => {
    const { account } = use
    if (known.has(`${account.tenant}/${shareId(account.id)}`)) return []
    const draws = open.draw(use, now)
    return draws.map(({ subscription, window, ppm }, n) => ({
      ...account,
      id: n === 0 ? shareId(account.id) : `${shareId(account.id)}_${subscription}`,
      purpose: `subscription:${subscription}`,
      units: ['subscription-ppm'],
      amounts: [ppm],
      countedIn: window,
    }))
  })
  await open.write(now)
  return entries
}

function shareId(id: string): string {
  return `${id}_share`
}

function whole(amount: number): number {
  return Number.isFinite(amount) ? Math.min(Math.max(0, Math.ceil(amount)), 1_000_000_000_000) : 0
}
