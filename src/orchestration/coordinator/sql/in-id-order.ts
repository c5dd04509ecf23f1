import type { TenantId } from '../../../foundation/kernel/ids.ts'

interface Keyed {
  readonly tenant: TenantId
  readonly taskId: string
}

/** Tasks in the order in which every statement locks them. */
export function inIdOrder<T extends Keyed>(tasks: readonly T[]): T[] {
  // What was ready in this order comes in it.
  const isOrdered = tasks.every((task, n) => n === 0 || inOrder(tasks[n - 1]!, task) <= 0)
  return isOrdered ? [...tasks] : tasks.toSorted(inOrder)
}

function inOrder(a: Keyed, b: Keyed): number {
  return compare(a.tenant, b.tenant) || compare(a.taskId, b.taskId)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
