import { type Dimension, dimensions } from '../../foundation/balancing/dimensions-contract.ts'
import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'

/** Cores, bytes of memory, bytes of disk, bytes a second. */
export type ResourceAmounts = Readonly<Record<Dimension, number>>

/** Some of them; what is absent is not limited, or not known. */
export type SomeResources = Readonly<Partial<Record<Dimension, number>>>

/** What is set aside for an attempt whose step says nothing: 1 core, 512 MB, 1 GB, 10 Mbit/s. */
export const usualRequest: ResourceAmounts = Object.freeze({
  cpu: 1,
  memory: 512 * 2 ** 20,
  disk: 2 ** 30,
  network: 1_250_000,
})

export const nothingHeld: ResourceAmounts = Object.freeze({ cpu: 0, memory: 0, disk: 0, network: 0 })

export function addAmounts(a: ResourceAmounts, b: ResourceAmounts, times = 1): ResourceAmounts {
  return {
    cpu: a.cpu + times * b.cpu,
    memory: a.memory + times * b.memory,
    disk: a.disk + times * b.disk,
    network: a.network + times * b.network,
  }
}

/** Sums of fractions of cores may differ in the last digit: a millionth of what there is counts as nothing. */
const slack = 1e-6

/** Whether a request fits beside what is held already. What has no capacity has no bounds. */
export function fitsBeside(request: ResourceAmounts, held: ResourceAmounts, capacity: SomeResources): boolean {
  return dimensions.every((name) => {
    const most = capacity[name]
    return most === undefined || held[name] + request[name] <= most * (1 + slack)
  })
}

/** The share of each capacity that is in use, 0 to 1. What has no capacity is left out. */
export function utilisation(used: SomeResources, capacity: SomeResources): SomeResources {
  const shares: Partial<Record<Dimension, number>> = {}
  for (const name of dimensions) {
    const [amount, most] = [used[name], capacity[name]]
    if (amount === undefined || most === undefined) continue
    shares[name] = most > 0 ? Math.min(1, Math.max(0, amount / most)) : 1
  }
  return shares
}

/** Amounts as a registration carries them; null where it has none that can be read. */
export function readAmounts(value: JsonValue | undefined): SomeResources | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const amounts = dimensions.flatMap((name) => {
    const amount = (value as JsonObject)[name]
    return typeof amount === 'number' && amount >= 0 ? [[name, amount] as const] : []
  })
  return amounts.length === 0 ? null : Object.fromEntries(amounts)
}
