import type { ModelPrice } from '../foundation/kernel/model-price.ts'
import type { Database, Tx } from '../foundation/platform/database/database.ts'
import type { Route } from '../foundation/platform/http/route.ts'
import type { EventReader } from '../foundation/runtime/event-reader.ts'
import { followAttemptEnds } from '../orchestration/budgets/attempt-ends.ts'
import { BudgetUpkeep, type WaitedFor } from '../orchestration/budgets/budget-upkeep.ts'
import { budgetRoutes } from '../orchestration/budgets/budgets-routes.ts'
import { BudgetsService } from '../orchestration/budgets/budgets-service.ts'
import { drawForCalls, type SubscribedCall } from '../orchestration/budgets/draw-for-calls.ts'
import { PriceTable } from '../orchestration/budgets/prices/price-table.ts'
import { Spender } from '../orchestration/budgets/spender.ts'
import type { SpenderPort } from '../orchestration/budgets/spender-port.ts'
import { admitWaiting } from '../orchestration/coordinator/sql/hold-tasks.ts'
import { waitingReasons } from '../orchestration/coordinator/sql/waiting-reasons.ts'
import { ProviderSubscriptions } from '../orchestration/quotas/provider-subscriptions.ts'
import { providerSubscriptionRoutes } from '../orchestration/quotas/provider-subscriptions-routes.ts'
import { QuotaBroker } from '../orchestration/quotas/quota-broker.ts'
import type { QuotaBrokerPort } from '../orchestration/quotas/quota-port.ts'
import { quotaRoutes } from '../orchestration/quotas/quotas-routes.ts'
import { countWaitingFor } from '../orchestration/runs/spenders-of-tasks.ts'
import type { Orchestration } from './orchestration.ts'

export interface SpendingOptions {
  readonly database: Database
  readonly dispatch: Orchestration['dispatch']
  readonly prices: readonly ModelPrice[]
  /** Of tenants, where they share an account with a provider. Default: all are alike. */
  readonly weightOf?: (tenant: string) => number
  readonly onCommit: () => void
  readonly onError: (error: unknown) => void
}

/** Budgets and quotas, and what spends from them. */
export interface Spending {
  /** For whatever spends: the model gateway, adapters. */
  readonly spender: SpenderPort
  /** For whatever calls a provider. */
  readonly quotas: QuotaBrokerPort
  readonly prices: PriceTable
  readonly budgets: BudgetsService
  readonly upkeep: BudgetUpkeep
  readonly routes: readonly Route[]
  /** What calls of models took of the subscriptions of their accounts. */
  drawForCalls(tx: Tx, calls: readonly SubscribedCall[], now: Date): Promise<void>
  /** Starts the upkeep; the caller stops it. */
  start(reader: EventReader): readonly { stop(): Promise<void> }[]
  close(): Promise<void>
}

/** How many tasks one look wakes for a budget; the rest is woken by what these give back. */
const wakeBatch = 100
/** The same where it is known how many can be served. */
const mostServed = 1_000

export function createSpending({
  database,
  dispatch,
  prices: own,
  weightOf,
  onCommit,
  onError,
}: SpendingOptions): Spending {
  const prices = new PriceTable(own)
  const spender = new Spender({ database, onError })
  const quotas = new QuotaBroker({ database, onError, ...(weightOf === undefined ? {} : { weightOf }) })
  const wake = async (tx: Tx, budgets: readonly WaitedFor[], now: Date) => {
    const reasons = budgets.map(({ tenant, name, most }) => {
      const limit = most === undefined ? wakeBatch : Math.min(most, mostServed)
      return { tenant, reason: `budget:${name}`, limit }
    })
    const shards = await admitWaiting(tx, reasons, now)
    if (shards.length > 0) await dispatch(tx, shards, now)
  }
  const subscriptions = new ProviderSubscriptions(database)
  const budgets = new BudgetsService({ database, prices, subscriptions, wake, countWaiting: countWaitingFor, onCommit })
  const waiting = { find: (tx: Parameters<typeof waitingReasons>[0]) => waitingReasons(tx, 'budget'), wake }
  const upkeep = new BudgetUpkeep({ database, waiting, onCommit, onError })
  return {
    spender,
    quotas,
    prices,
    budgets,
    upkeep,
    routes: [
      ...budgetRoutes(database, budgets),
      ...quotaRoutes({ database, onCommit }),
      ...providerSubscriptionRoutes({ database, subscriptions, onCommit }),
    ],
    drawForCalls: (tx, calls, now) => drawForCalls(tx, subscriptions, calls, now),
    start: (reader) => [upkeep.start(), followAttemptEnds({ database, reader, onError })],
    async close() {
      await quotas.close()
      await spender.close()
    },
  }
}
