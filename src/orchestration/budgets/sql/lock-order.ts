/**
 * The order in which rows of budgets are locked: leaf to root, then by id, as in every statement that changes them. Scopes
 * that are not named here come last.
 */
export const lockOrder = `b.tenant_id, array_position(array['task', 'run', 'workflow', 'tenant'], b.scope), b.id`
