import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { sql } from '../../foundation/platform/database/sql.ts'
import { checkRevision, type ExpectedRevision } from '../../foundation/platform/http/preconditions.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import { fromLedger, toLedger, unitTable } from './budget-units-contract.ts'
import { windowAt } from './budget-windows-contract.ts'
import type { BudgetDetail, BudgetView, LedgerEntry, SetBudget, SpendingReport } from './budgets-contract.ts'
import { budgetErrors } from './budgets-errors.ts'
import { readBudget, readDetail, readLedger } from './budgets-view.ts'
import { drawOnSubscriptions, type SpendingAccount, subscribedUseOf } from './draw-on-subscriptions.ts'
import type { PriceTable } from './prices/price-table.ts'
import { amountsOf } from './record-attempts.ts'
import { reportSpending } from './report-spending.ts'
import type { SubscriptionPort } from './subscription-port.ts'

export interface BudgetsServiceOptions {
  readonly database: Database
  readonly prices: PriceTable
  readonly subscriptions: SubscriptionPort
  /** Lets tasks try again that wait for these budgets; the coordinator provides it. */
  readonly wake: (
    tx: Tx,
    budgets: readonly { readonly tenant: TenantId; readonly name: string }[],
    now: Date,
  ) => Promise<void>
  /** How many tasks wait for each of these budgets; the `runs` part provides it. */
  readonly countWaiting: (
    tx: ReadTx,
    tenant: TenantId,
    budgets: readonly string[],
  ) => Promise<ReadonlyMap<string, number>>
  readonly onCommit?: () => void
}

/** In whole units of the ledger; what is held and spent beside it stays exact, too. */
const mostInLedger = 9_000_000_000_000_000 / 2

/** What people do with budgets: set, look at, report to. */
export class BudgetsService {
  readonly #options: BudgetsServiceOptions

  constructor(options: BudgetsServiceOptions) {
    this.#options = options
  }

  /** Errors: `budget-invalid`, `precondition-failed`. */
  async set(tenant: TenantId, wish: SetBudget, expected: ExpectedRevision = 'any'): Promise<BudgetView> {
    const { database, wake, onCommit } = this.#options
    const { scope, unit, hardLimit, softLimit } = wish
    const scopeId = wish.scopeId ?? (scope === 'tenant' ? tenant : undefined)
    if (scopeId === undefined)
      throw budgetErrors['budget-invalid'](`a budget of a ${scope} needs the name of the ${scope}`)
    if (scope === 'tenant' && scopeId !== tenant)
      throw budgetErrors['budget-invalid'](`the tenant is ${tenant}, not ${scopeId}`)
    if (hardLimit !== null && softLimit !== null && softLimit > hardLimit) {
      throw budgetErrors['budget-invalid'](`the soft limit ${softLimit} is beyond the hard limit ${hardLimit}`)
    }
    if (unit === 'agents' && (softLimit !== null || (wish.window !== 'total' && wish.window !== 'run'))) {
      throw budgetErrors['budget-invalid'](
        'agents at work are limited at every moment: they have no window and no soft limit',
      )
    }
    // A run or a task has one window anyway.
    const timeWindow = wish.window === 'run' && (scope === 'run' || scope === 'task') ? 'total' : wish.window
    const ledger = unitTable[unit].ledger
    const id = `${scope}:${scopeId}:${ledger}${timeWindow === 'total' ? '' : `:${timeWindow}`}`
    const limits = [hardLimit, softLimit].map((limit) => (limit === null ? null : toLedger(unit, limit))) as [
      number | null,
      number | null,
    ]
    if (limits.some((limit) => limit !== null && limit > mostInLedger)) {
      const most = Math.floor(mostInLedger / unitTable[unit].factor)
      throw budgetErrors['budget-invalid'](`a limit is at most ${most} ${unit}: more cannot be counted exactly`)
    }
    // The system scope: whoever waits for it is woken in the same transaction.
    return database.asSystem('budgets-set').write(async (tx) => {
      const now = database.clock.now()
      if (expected !== 'any') {
        const [present] = await tx.query<{ rev: number }>(sql`
          select rev from budgets where tenant_id = ${tenant} and scope = ${scope} and scope_id = ${scopeId}
            and unit = ${ledger} and time_window = ${timeWindow} and origin = '' for update`)
        checkRevision(expected, present?.rev ?? 0)
      }
      const begun = /^\d/.test(timeWindow) ? null : windowAt(timeWindow, now)
      const [row] = await tx.query<{ rev: number; id: string }>(sql`
        insert into budgets (tenant_id, id, scope, scope_id, unit, hard_limit, soft_limit, time_window, window_start, window_end)
        values (${tenant}, ${id}, ${scope}, ${scopeId}, ${ledger}, ${limits[0]}, ${limits[1]}, ${timeWindow},
          ${begun?.start ?? null}, ${begun?.end ?? null})
        on conflict (scope_id, scope, unit, tenant_id, time_window, origin) do update set hard_limit = excluded.hard_limit,
          soft_limit = excluded.soft_limit, soft_told_at = null, rev = budgets.rev + 1
        returning rev, id`)
      if (timeWindow === 'run') {
        await tx.execute(sql`
          update budgets set hard_limit = ${limits[0]}, soft_limit = ${limits[1]}, rev = rev + 1
          where tenant_id = ${tenant} and origin = ${row!.id} and time_window = 'run'`)
      }
      const data = { scope, scopeId, unit, window: timeWindow, hardLimit, softLimit }
      const subject = { kind: 'budget', id: row!.id, rev: row!.rev }
      await appendEvents(tx, [{ tenant, type: 'budget.changed', subject, runId: null, at: now, data }])
      await wake(tx, [{ tenant, name: row!.id }], now)
      if (onCommit !== undefined) tx.afterCommit(onCommit)
      return (await readBudget(tx, tenant, row!.id))!
    })
  }

  /** Errors: `budget-not-found`. */
  async show(tenant: TenantId, id: string): Promise<BudgetDetail> {
    const { database, countWaiting, subscriptions } = this.#options
    return database.forTenant(tenant).read(async (tx) => {
      const budget = await this.#find(tx, tenant, id)
      const waiting = await countWaiting(tx, tenant, [id])
      const counts = budget.unit === 'subscription-share'
      const counted = counts ? await subscriptions.countedBy(tx, tenant, budget.window) : []
      return readDetail(tx, tenant, budget, waiting.get(id) ?? 0, counted, database.clock.now())
    })
  }

  /** Errors: `budget-not-found`. */
  async ledger(tenant: TenantId, id: string, limit: number): Promise<readonly LedgerEntry[]> {
    return this.#options.database.forTenant(tenant).read(async (tx) => {
      return readLedger(tx, tenant, await this.#find(tx, tenant, id), limit)
    })
  }

  async report(tenant: TenantId, spending: SpendingReport) {
    const { database, prices, subscriptions } = this.#options
    const { id, team, workflow, run, task, agent, model, subscription, ...use } = spending
    const now = database.clock.now()
    const told = Object.fromEntries(Object.entries({ ...use, model }).filter(([, value]) => value !== undefined))
    const amounts = amountsOf(told, prices, now)
    if (amounts.length === 0 && subscription === undefined) {
      throw budgetErrors['budget-invalid'](
        'it names no amount: expected microUsd, or tokens and a model with a known price',
      )
    }
    const named = { tenant: tenant as string, team, workflow, run, task, agent }
    const account: SpendingAccount = {
      ...{
        tenant,
        id: `rsv_told_${id}`,
        runId: run ?? null,
        taskId: task ?? null,
        attempt: null,
        agentId: agent ?? null,
      },
      ...{ budgetIds: [], since: null },
      scopes: Object.entries(named).flatMap(([scope, scopeId]) => (scopeId === undefined ? [] : [{ scope, scopeId }])),
    }
    const { recorded, share } = await database.forTenant(tenant).write(async (tx) => {
      const uses =
        subscription === undefined ? [] : [{ tenant, pool: null, subscription, account, ...subscribedUseOf(told) }]
      const drawn = await drawOnSubscriptions(tx, subscriptions, uses, now)
      const units = amounts.map(([unit]) => unit)
      const own = { ...account, purpose: model ?? '', units, amounts: amounts.map(([, amount]) => amount) }
      const recorded = await reportSpending(tx, [...(units.length === 0 ? [] : [own]), ...drawn], now)
      return { recorded: recorded > 0, share: drawn[0]?.amounts[0] ?? null }
    })
    const amountOf = (unit: string) => amounts.find(([name]) => name === unit)?.[1] ?? null
    const subscriptionShare = share === null ? null : fromLedger('subscription-share', share)
    return { recorded, microUsd: amountOf('micro-usd'), tokens: amountOf('tokens'), subscriptionShare }
  }

  async #find(tx: ReadTx, tenant: TenantId, id: string): Promise<BudgetView> {
    const budget = await readBudget(tx, tenant, id)
    if (budget === null) throw budgetErrors['budget-not-found'](`there is no budget ${id}`)
    return budget
  }
}
