import { localPool, type PoolConfig } from '../foundation/platform/config/pools.ts'
import type { ResolvedTask } from '../orchestration/workflows/workflow-contract.ts'

/**
 * The pool for a task that names none: prompts go to the first pool of agents that offers all that the step asks for,
 * everything else to the local one. Where no pool fits, the task waits in the local pool and says what it lacks.
 */
export function choosePoolFrom(pools: readonly PoolConfig[]): (spec: ResolvedTask) => string {
  return (spec) => {
    if (spec.kind !== 'agent') return localPool
    const able = pools.find(
      (pool) => pool.agent !== null && spec.capabilities.every((capability) => pool.capabilities.includes(capability)),
    )
    return able?.name ?? localPool
  }
}
