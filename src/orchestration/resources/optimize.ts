import { dimensions } from '../../foundation/balancing/dimensions-contract.ts'
import { roundUp } from '../../foundation/numerics/round-up.ts'
import type { ResourceAmounts, SomeResources } from './amounts-contract.ts'
import type { Optimization } from './resources-contract.ts'

/** What the attempts of one step used. */
export interface StepUsage {
  readonly workflow: string
  readonly step: string
  readonly attempts: number
  readonly hours: number
  readonly p95: SomeResources
  readonly most: SomeResources
}

/** Fewer attempts than this say too little. */
export const leastAttempts = 10
/** Asked for beyond the 95th percentile. */
const headroom = 1.2
/** A proposal this close to the request is not worth a change. */
const tolerance = 0.1
const mb = 2 ** 20
const gb = 2 ** 30
/** A megabit a second. */
const mbit = 125_000
const steps = { cpu: 0.1, memory: 16 * mb, disk: 64 * mb, network: mbit } as const

/**
 * What a step should ask for: the 95th percentile of what its attempts used, a fifth more, rounded up (0.1 cores, 16 MB of
 * memory, 64 MB of disk, 1 Mbit/s). What was not measured stays as it is.
 */
export function optimize(usage: StepUsage, request: ResourceAmounts): Optimization {
  const { workflow, step, attempts, hours, p95, most } = usage
  const enough = attempts >= leastAttempts
  const proposal = enough ? propose(request, p95) : request
  const saved = (name: 'cpu' | 'memory' | 'disk') => (request[name] - proposal[name]) * hours
  return {
    ...{ workflow, step, attempts, hours, request, p95, most, proposal },
    advice: enough ? adviceOf(request, proposal) : 'too few attempts',
    saving: { coreHours: saved('cpu'), memoryGbHours: saved('memory') / gb, diskGbHours: saved('disk') / gb },
  }
}

function propose(request: ResourceAmounts, p95: SomeResources): ResourceAmounts {
  const sizes: Record<keyof ResourceAmounts, number> = { ...request }
  for (const name of dimensions) {
    const used = p95[name]
    if (used === undefined) continue
    const size = Math.max(steps[name], roundUp(used * headroom, steps[name]))
    if (Math.abs(size - request[name]) > tolerance * request[name]) sizes[name] = size
  }
  return sizes
}

/** What is too small comes first: it is ended, or slows others down. */
function adviceOf(request: ResourceAmounts, proposal: ResourceAmounts): Optimization['advice'] {
  if (dimensions.some((name) => proposal[name] > request[name])) return 'larger'
  return dimensions.some((name) => proposal[name] < request[name]) ? 'smaller' : 'keep'
}

export function totalSaving(items: readonly Optimization[]): Optimization['saving'] {
  const sum = (name: keyof Optimization['saving']) => items.reduce((total, { saving }) => total + saving[name], 0)
  return { coreHours: sum('coreHours'), memoryGbHours: sum('memoryGbHours'), diskGbHours: sum('diskGbHours') }
}
