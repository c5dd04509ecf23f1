import type { Database } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { listBudgets, reportSpendingOf, setBudget, showBudget, showLedger } from './budgets-contract.ts'
import type { BudgetsService } from './budgets-service.ts'
import { readBudgets } from './budgets-view.ts'

export function budgetRoutes(database: Database, budgets: BudgetsService): Route[] {
  return [
    route({
      ...listBudgets,
      permission: 'budgets:read',
      handle: async ({ query, principal: { tenant } }) => ({
        items: [...(await database.forTenant(tenant).read((tx) => readBudgets(tx, tenant, query)))],
      }),
    }),
    route({
      ...setBudget,
      permission: 'budgets:write',
      handle: ({ body, principal, ifMatch }) => budgets.set(principal.tenant, body, ifMatch),
    }),
    route({
      ...showBudget,
      permission: 'budgets:read',
      handle: ({ params, principal }) => budgets.show(principal.tenant, params.id),
    }),
    route({
      ...showLedger,
      permission: 'budgets:read',
      handle: async ({ params, query, principal }) => ({
        items: [...(await budgets.ledger(principal.tenant, params.id, query.limit))],
      }),
    }),
    route({
      ...reportSpendingOf,
      permission: 'spending:write',
      handle: ({ body, principal }) => budgets.report(principal.tenant, body),
    }),
  ]
}
