import type { PoolConfig } from '../foundation/platform/config/pools.ts'
import { localPool } from '../foundation/platform/config/pools.ts'
import { enforcedBy, type HostConfinement } from '../foundation/platform/processes/index.ts'
import type { EnforcementClass } from '../orchestration/agents/agent-adapter.ts'

/**
 * How far budgets of money and tokens bind the agents of a pool on this host. Time is capped for whatever runs here; money is
 * only where nothing else than the model gateway can be reached (`metered`), or nothing at all (`capped`).
 */
export function enforcementOf(pool: PoolConfig, host: HostConfinement): EnforcementClass {
  if (pool.kind === 'llm') return 'metered'
  const reach = reachOf(pool, host)
  if (reach === 'models') return 'metered'
  return reach === 'nothing' ? 'capped' : 'reported'
}

function reachOf(pool: PoolConfig, host: HostConfinement): 'nothing' | 'models' | 'anything' {
  const { place, driver, confine } = pool
  if (place !== null) {
    if (place.network === 'none') return 'nothing'
    const toGateway = place.kind === 'container' ? 'models' : 'gateway'
    return place.network === toGateway ? 'models' : 'anything'
  }
  // Services and functions are not within our bounds; nor are the commands of workflows, which run as the user.
  const isProcess = driver === null || driver.kind === 'acp' || (driver.kind === 'mcp' && driver.server.argv !== null)
  if (!isProcess || pool.name === localPool || !enforcedBy(host, confine).network) return 'anything'
  return confine.network === 'models' ? 'models' : 'nothing'
}
