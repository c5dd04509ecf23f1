import type { BudgetView } from '../orchestration/budgets/budgets-contract.ts'
import { usdText } from './usd-text.ts'

/** An amount of a budget, as people read it. */
export function amountText({ unit }: Pick<BudgetView, 'unit'>, amount: number): string {
  if (unit === 'micro-usd') return usdText(amount)
  if (unit === 'subscription-share') return `${(amount * 100).toFixed(2)} %`
  return `${amount} ${unit}`
}
