import { localPool, type PoolConfig } from '../foundation/platform/config/pools.ts'
import { profileOf, registrationLabels } from '../orchestration/coordinator/agent-profile.ts'
import { requirementsOf } from '../orchestration/coordinator/lane-contract.ts'
import { mayServe } from '../orchestration/coordinator/placement.ts'
import type { ResolvedTask } from '../orchestration/workflows/workflow-contract.ts'

/**
 * The pool for a task that names none: prompts go to the first pool of agents that fits all that the step asks for (and
 * where none does, to one that offers its capabilities), everything else to the local one. Where no pool fits, the task
 * waits in the local pool and says what it lacks.
 */
export function choosePoolFrom(pools: readonly PoolConfig[]): (spec: ResolvedTask) => string {
  const profiles = pools.map((pool) => ({
    pool,
    profile: profileOf(pool.capabilities, registrationLabels(pool, null)),
  }))
  return (spec) => {
    if (spec.kind !== 'agent') return localPool
    const wanted = requirementsOf(spec, spec.priority, null)
    const able = profiles.filter(
      ({ pool, profile }) =>
        pool.agent !== null && spec.capabilities.every((capability) => profile.capabilities.has(capability)),
    )
    const fitting = able.find(({ profile }) => mayServe(profile, wanted)) ?? able[0]
    return fitting?.pool.name ?? localPool
  }
}
