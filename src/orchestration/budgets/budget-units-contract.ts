/** The units in which people set and read budgets, with the unit of the ledger and how many of it make one. */
export const unitTable = {
  'micro-usd': { ledger: 'micro-usd', factor: 1 },
  tokens: { ledger: 'tokens', factor: 1 },
  runs: { ledger: 'runs', factor: 1 },
  'cpu-seconds': { ledger: 'cpu-ms', factor: 1_000 },
  'wall-seconds': { ledger: 'wall-ms', factor: 1_000 },
  /** 1 is the whole window of a subscription. */
  'subscription-share': { ledger: 'subscription-ppm', factor: 1_000_000 },
  /** Tasks that agents work on at a time: held while they do, never spent. */
  agents: { ledger: 'agents', factor: 1 },
} as const

export type BudgetUnit = keyof typeof unitTable
export type LedgerUnit = (typeof unitTable)[BudgetUnit]['ledger']

export const budgetUnitNames = Object.keys(unitTable) as [BudgetUnit, ...BudgetUnit[]]

const byLedger = new Map(budgetUnitNames.map((unit) => [unitTable[unit].ledger as string, unit]))

/** The unit in which people see an amount of the ledger. */
export function unitOfLedger(ledger: string): BudgetUnit {
  const unit = byLedger.get(ledger)
  if (unit === undefined) throw new Error(`the ledger has no unit ${ledger}`)
  return unit
}

/** Whole units of the ledger; a fraction is rounded to the nearest. */
export function toLedger(unit: BudgetUnit, amount: number): number {
  return Math.round(amount * unitTable[unit].factor)
}

export function fromLedger(unit: BudgetUnit, amount: number): number {
  return amount / unitTable[unit].factor
}
