import type { Database, ReadTx } from '../../foundation/platform/database/database.ts'
import type { AttemptReport, AttemptSpending } from '../runners/exchange-contract.ts'
import type { TaskSpender } from '../runs/spenders-of-tasks.ts'
import type { LedgerUnit } from './budget-units-contract.ts'
import type { PriceTable } from './prices/price-table.ts'
import { type ReportedSpending, reportSpending } from './report-spending.ts'

export interface RecordAttemptsOptions {
  readonly database: Database
  readonly prices: PriceTable
  /** On whose account attempts spend; the `runs` part provides it. */
  readonly spendersOf: (tx: ReadTx, reports: readonly AttemptReport[]) => Promise<readonly TaskSpender[]>
  readonly onCommit?: () => void
}

/**
 * Records what ended attempts say they have spent, each lease once, however often it is told. Also of those whose lease was
 * lost: the money is gone.
 */
export async function recordAttempts(reports: readonly AttemptReport[], options: RecordAttemptsOptions): Promise<void> {
  const { database, prices, spendersOf, onCommit } = options
  const telling = reports.filter(({ usage }) => usage.spending !== undefined && usage.spending.metered !== true)
  if (telling.length === 0) return
  await database.asSystem('budgets').write(async (tx) => {
    const now = database.clock.now()
    const spenders = new Map((await spendersOf(tx, telling)).map((row) => [`${row.tenant}/${row.fence}`, row]))
    const entries = telling.flatMap((report): ReportedSpending[] => {
      const spender = spenders.get(`${report.tenant}/${report.fence}`)
      if (spender === undefined) return []
      const { runId, taskId, attempt, agentId, budgetIds, leasedAt } = spender
      const amounts = amountsOf(report.usage.spending!, prices, new Date(report.endedAt))
      return [
        {
          ...{ tenant: report.tenant, id: `rsv_lease_${report.fence}`, runId, taskId, attempt, agentId, budgetIds },
          purpose: report.usage.spending!.model ?? '',
          since: leasedAt,
          units: amounts.map(([unit]) => unit),
          amounts: amounts.map(([, amount]) => amount),
          scopes: agentId === null ? [] : [{ scope: 'agent', scopeId: agentId }],
        },
      ]
    })
    await reportSpending(tx, entries, now)
    if (onCommit !== undefined) tx.afterCommit(onCommit)
  })
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
