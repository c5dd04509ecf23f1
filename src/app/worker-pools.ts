import type { PoolConfig } from '../foundation/platform/config/pools.ts'

/**
 * The pools with room for `slots` tasks each, whatever they say themselves: as many agents of their usual size as that
 * makes, or of one slot each where it is no multiple of it.
 */
export function poolsWithSlots(pools: readonly PoolConfig[], slots: number | null): readonly PoolConfig[] {
  if (slots === null) return pools
  return pools.map((pool) => {
    const size = slots % pool.slots === 0 ? pool.slots : 1
    return { ...pool, slots: size, agents: slots / size }
  })
}
