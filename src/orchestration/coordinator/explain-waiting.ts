import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import { canServe } from './decide.ts'
import { parseLane } from './lane-contract.ts'
import { readPoolAgents } from './sql/read-pool-agents.ts'

export interface ReadyTask {
  readonly id: string
  readonly pool: string
  readonly lane: string
}

/** Why tasks that could start have not, by id; a task without an entry starts with the next tick. */
export async function explainWaiting(
  tx: ReadTx,
  tenant: TenantId,
  tasks: readonly ReadyTask[],
): Promise<ReadonlyMap<string, string>> {
  const reasons = new Map<string, string>()
  if (tasks.length === 0) return reasons
  const agents = await readPoolAgents(tx, tenant, [...new Set(tasks.map((task) => task.pool))])
  for (const task of tasks) {
    const { capabilities } = parseLane(task.lane)
    const inPool = agents.filter((agent) => agent.pool === task.pool)
    const able = inPool.filter((agent) => canServe({ capabilities: new Set(agent.capabilities) }, capabilities))
    if (inPool.length === 0) reasons.set(task.id, `the pool ${task.pool} has no agents`)
    else if (able.length === 0)
      reasons.set(task.id, `no agent of the pool ${task.pool} offers ${capabilities.join(', ')}`)
    else if (able.every((agent) => agent.full))
      reasons.set(task.id, `all agents of the pool ${task.pool} that could do it are busy`)
  }
  return reasons
}
