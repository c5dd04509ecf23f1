import { type ModelTier, modelOfTier } from '../foundation/kernel/model-tier.ts'
import { localPool, type PoolConfig } from '../foundation/platform/config/pools.ts'
import type { RegisteredPool } from '../orchestration/agents/registered-pools.ts'
import { type AgentProfile, profileOf, registrationLabels } from '../orchestration/coordinator/agent-profile.ts'
import { requirementsOf } from '../orchestration/coordinator/lane-contract.ts'
import { mayServe } from '../orchestration/coordinator/placement.ts'
import type { ResolvedTask } from '../orchestration/workflows/workflow-contract.ts'

/** A pool as somebody looks at it who has work to give. */
export interface PoolOffer {
  readonly name: string
  readonly takesPrompts: boolean
  readonly profile: AgentProfile
}

function offerOf(pool: PoolConfig): PoolOffer {
  const profile = profileOf(pool.capabilities, registrationLabels(pool, null))
  return { name: pool.name, takesPrompts: pool.agent !== null || pool.driver !== null, profile }
}

/** Of all pools only the local one takes no prompts. */
export function offerOfRegistered({ pool, capabilities, labels }: RegisteredPool): PoolOffer {
  return { name: pool, takesPrompts: pool !== localPool, profile: profileOf(capabilities, labels) }
}

/**
 * The pool for a task that names none: prompts go to the pool of agents that fits all that the step asks for and has most
 * of what it prefers, the first of equals (and where none fits, to one that offers its capabilities), everything else to
 * the local one. Where no pool fits, the task
 * waits in the local pool and says what it lacks. The pools of this process come before `further` ones, which agents of
 * others have registered.
 */
export function choosePoolFrom(
  pools: readonly PoolConfig[],
  further: () => readonly PoolOffer[] = () => [],
): (spec: ResolvedTask) => string {
  const own = pools.map(offerOf)
  return (spec) => {
    if (spec.kind !== 'agent') return localPool
    const wanted = requirementsOf(spec, spec.priority, null)
    const able = [...own, ...further()].filter(
      ({ takesPrompts, profile }) =>
        takesPrompts && spec.capabilities.every((capability) => profile.capabilities.has(capability)),
    )
    const fitting = able.filter(({ profile }) => mayServe(profile, wanted))
    const liked = spec.placement?.preferredCapabilities ?? []
    const has = ({ profile }: PoolOffer) => liked.filter((name) => profile.capabilities.has(name)).length
    // The sort is stable: among equals the first counts.
    const [best] = fitting.length === 0 ? able : fitting.toSorted((a, b) => has(b) - has(a))
    return best?.name ?? localPool
  }
}

/** Whether any pool takes prompts. */
export function offersPrompts(pools: readonly PoolConfig[], further: () => readonly PoolOffer[] = () => []): boolean {
  return [...pools.map(offerOf), ...further()].some(({ takesPrompts }) => takesPrompts)
}

/** Which model the pools of this process name for a tier. What pools of others name, they alone know. */
export function modelOfPools(pools: readonly PoolConfig[]): (pool: string, tier: ModelTier) => string | null {
  const tiers = new Map(pools.map((pool) => [pool.name, pool.tiers]))
  return (pool, tier) => modelOfTier(tiers.get(pool) ?? {}, tier)
}
