const scopes = ['task', 'agent', 'run', 'workflow', 'team', 'tenant']

/**
 * The order in which rows of budgets are locked: leaf to root, then by id, as in every statement that changes them. Scopes
 * that are not named here come last.
 */
export const lockOrder = `b.tenant_id, array_position(array[${scopes.map((scope) => `'${scope}'`).join(', ')}], b.scope), b.id`

interface Lockable {
  readonly tenant: string
  readonly scope: string
  readonly budget: string
}

/** The same order, for lists that a statement follows. */
export function inLockOrder<T extends Lockable>(items: readonly T[]): T[] {
  return items.toSorted(
    (a, b) => compare(a.tenant, b.tenant) || rankOf(a.scope) - rankOf(b.scope) || compare(a.budget, b.budget),
  )
}

function rankOf(scope: string): number {
  const rank = scopes.indexOf(scope)
  return rank < 0 ? scopes.length : rank
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
