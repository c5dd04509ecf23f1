import type { PoolConfig } from '../../foundation/platform/config/pools.ts'
import { type AgentView, listAgents } from '../../orchestration/agents/agents-contract.ts'
import type { CliCommand, CliContext } from '../command.ts'
import { withConnection } from '../connect.ts'
import { oneLine, plural, table } from '../text.ts'

export const agents: CliCommand = {
  configure(command, act) {
    command.option('--pool <name>', 'only this pool').action(act(run))
  },
}

async function run(context: CliContext, { pool }: { pool?: string }): Promise<void> {
  const { out } = context
  await withConnection(context, { work: false }, async ({ client, loaded, embedded }) => {
    const { items } = await client.call(listAgents, { query: pool === undefined ? {} : { pool } })
    for (const item of items) out.document(item)
    if (items.length > 0) out.lines(...table(items.map(cells)))
    const pools = loaded.config.pools.filter(({ name }) => pool === undefined || name === pool)
    if (!embedded) return
    out.lines('', 'no server runs on this data folder; it would start:', ...table(pools.map(poolCells)))
  })
}

function cells(agent: AgentView): string[] {
  return [
    agent.id,
    agent.pool,
    agent.kind,
    agent.state,
    `${agent.used}/${plural(agent.slots, 'slot')}`,
    oneLine(agent.capabilities.join(' '), 80),
  ]
}

function poolCells(pool: PoolConfig): string[] {
  return [
    `  ${pool.name}`,
    plural(pool.agents, 'agent'),
    plural(pool.slots, 'slot'),
    oneLine(pool.capabilities.join(' '), 80),
  ]
}
