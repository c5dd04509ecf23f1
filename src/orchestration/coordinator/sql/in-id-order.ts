import type { TenantId } from '../../../foundation/kernel/ids.ts'

/** Tasks in the order in which every statement locks them. */
export function inIdOrder<T extends { readonly tenant: TenantId; readonly taskId: string }>(tasks: readonly T[]): T[] {
  return tasks.toSorted((a, b) => compare(a.tenant, b.tenant) || compare(a.taskId, b.taskId))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
