import { tryAgents } from '../../app/try-agents.ts'
import { isAppError } from '../../foundation/kernel/errors.ts'
import type { LoadedConfig } from '../../foundation/platform/config/load-config.ts'
import type { PoolConfig } from '../../foundation/platform/config/pools.ts'
import { agentPresets } from '../agent-presets.ts'
import type { Check } from './check.ts'

/** Whether the agents of the configured pools can be reached, and have their keys. None: nothing is said. */
export async function checkPools(loaded: LoadedConfig): Promise<readonly Check[]> {
  const pools = loaded.config.pools.filter(({ driver, place }) => driver !== null && place === null)
  return (await Promise.all(pools.map((pool) => checkPool(loaded, pool)))).flat()
}

async function checkPool(loaded: LoadedConfig, pool: PoolConfig): Promise<readonly Check[]> {
  const name = `pool ${pool.name} (${pool.kind})`
  try {
    const detail = await tryAgents(loaded, pool)
    return detail === null ? [] : [{ name, status: 'ok', detail }]
  } catch (error) {
    if (!isAppError(error)) throw error
    // Who is away now may be back when there is work; a key that is missing will not come by itself.
    const status = error.kind === 'unavailable' ? 'warn' : 'bad'
    return [{ name, status, detail: error.message, next: wayIn(pool) ?? error.next }]
  }
}

/** How the program of an agent that speaks ACP comes to be there. */
function wayIn({ driver }: PoolConfig): string | null {
  if (driver?.kind !== 'acp') return null
  const [program = ''] = driver.argv
  const preset = agentPresets.find(({ commands }) => commands.some(([name]) => name === program))
  if (preset === undefined) return `install ${program}, or say in \`command\` of the pool where it is`
  return preset.npm === null ? `install ${preset.title}` : `npm install --global ${preset.npm}`
}
