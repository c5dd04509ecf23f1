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
 * The pool for a task that names none: prompts go to the first pool of agents that fits all that the step asks for (and
 * where none does, to one that offers its capabilities), everything else to the local one. Where no pool fits, the task
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
    const fitting = able.find(({ profile }) => mayServe(profile, wanted)) ?? able[0]
    return fitting?.name ?? localPool
  }
}
