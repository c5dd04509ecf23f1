import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import type { AttemptReport, AttemptSpending } from '../runners/exchange-contract.ts'
import type { TaskSpender } from '../runs/spenders-of-tasks.ts'
import type { LedgerUnit } from './budget-units-contract.ts'
import {
  drawOnSubscriptions,
  type IdentifiedUse,
  type SpendingAccount,
  subscribedUseOf,
} from './draw-on-subscriptions.ts'
import type { PriceTable } from './prices/price-table.ts'
import { type ReportedSpending, reportSpending } from './report-spending.ts'
import type { SubscriptionPort } from './subscription-port.ts'

export interface RecordAttemptsOptions {
  readonly database: Database
  readonly prices: PriceTable
  /** On whose account attempts spend; the `runs` part provides it. */
  readonly spendersOf: (tx: ReadTx, reports: readonly AttemptReport[]) => Promise<readonly TaskSpender[]>
  /** Subscriptions that pools work on. Default: there are none. */
  readonly subscriptions?: SubscriptionPort
  readonly onCommit?: () => void
}

/**
 * Records what ended attempts say they have spent, each lease once, however often it is told. Also of those whose lease was
 * lost: the money is gone. What agents of a pool with a subscription use is a share of its window, too, whether they tell
 * anything or not.
 */
export async function recordAttempts(reports: readonly AttemptReport[], options: RecordAttemptsOptions): Promise<void> {
  if (reports.length === 0) return
  const { database, prices, spendersOf, onCommit, subscriptions } = options
  const subscribed = (await subscriptions?.subscribedPools()) ?? noPools
  const telling = reports.filter(({ usage }) => usage.spending !== undefined && usage.spending.metered !== true)
  const relevant = subscribed.size === 0 ? telling : reports
  if (relevant.length === 0) return
  await database.asSystem('budgets').write(async (tx) => {
    const now = database.clock.now()
    const spenders = new Map((await spendersOf(tx, relevant)).map((row) => [`${row.tenant}/${row.fence}`, row]))
    const spent = relevant.flatMap((report) => {
      const spender = spenders.get(`${report.tenant}/${report.fence}`)
      return spender === undefined ? [] : [{ report, spender }]
    })
    const entries = spent
      .filter(({ report }) => telling.includes(report))
      .map(({ report, spender }): ReportedSpending => {
        const amounts = amountsOf(report.usage.spending!, prices, new Date(report.endedAt))
        return {
          ...accountOf(spender, `rsv_lease_${report.fence}`),
          purpose: report.usage.spending!.model ?? '',
          units: amounts.map(([unit]) => unit),
          amounts: amounts.map(([, amount]) => amount),
        }
      })
    const uses = spent
      .filter(({ spender: { tenant, pool } }) => subscribed.has(`${tenant}/${pool}`))
      .map(({ report, spender }): IdentifiedUse => {
        const { tenant, pool } = spender
        return {
          ...{ tenant, pool, subscription: null, ...subscribedUseOf(report.usage.spending ?? {}) },
          metered: report.usage.spending?.metered === true,
          account: accountOf(spender, `rsv_lease_${report.fence}`),
        }
      })
    if (subscriptions !== undefined) entries.push(...(await drawOnSubscriptions(tx, subscriptions, uses, now)))
    await reportSpending(tx, entries, now)
    if (onCommit !== undefined) tx.afterCommit(onCommit)
  })
}

const noPools: ReadonlySet<string> = new Set()

function accountOf(spender: TaskSpender, id: string): SpendingAccount {
  const { tenant, runId, taskId, attempt, agentId, budgetIds, leasedAt } = spender
  const scopes = agentId === null ? [] : [{ scope: 'agent', scopeId: agentId }]
  return { tenant, id, runId, taskId, attempt, agentId, budgetIds, since: leasedAt, scopes }
}

/** Money and tokens of what an agent tells, in whole units; what it does not tell and nobody can work out is left out. */
export function amountsOf(
  spending: AttemptSpending,
  prices: PriceTable,
  at: Date,
): readonly (readonly [LedgerUnit, number])[] {
  const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, model, microUsd } = spending
  const parts = [inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens].filter((part) => part !== undefined)
  const tokens = parts.reduce((sum, part) => sum + whole(part), 0)
  const cost = microUsd ?? (model === undefined || parts.length === 0 ? null : prices.costOf(model, spending, at))
  return [
    ...(cost === null || cost === undefined ? [] : [['micro-usd', whole(cost)] as const]),
    ...(parts.length === 0 ? [] : [['tokens', tokens] as const]),
  ]
}

/** What agents tell is input: never negative, never a fraction, never beyond what can be counted. */
function whole(amount: number): number {
  if (!Number.isFinite(amount)) return 0
  return Math.min(Math.max(0, Math.ceil(amount)), 1_000_000_000_000)
}
