import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import type { AttemptContextUse } from '../context-growth/context-growth-contract.ts'
import type { Shard } from '../coordinator/sql/find-lanes.ts'
import type { AgentDetail, AgentView } from './agents-contract.ts'
import { agentErrors } from './agents-errors.ts'
import type { AgentEvent } from './agents-states-contract.ts'
import { type AgentIntent, type AgentRow, changeAgents, deleteAgents, lockAgent } from './agents-store.ts'
import { type AgentFilter, readAgent, readAgents, readPlacement } from './agents-view.ts'

export interface AgentsServiceOptions {
  readonly database: Database
  /** The leases of an agent; the `runs` part provides it. */
  readonly leasesOf: (
    tx: ReadTx,
    tenant: TenantId,
    agent: AgentView,
  ) => Promise<readonly Omit<AgentDetail['leases'][number], 'context'>[]>
  /** How full the contexts of its tasks are. Default: nobody knows. */
  readonly contextsOf?: (tx: ReadTx, tenant: TenantId, agentId: string) => Promise<readonly AttemptContextUse[]>
  /** Matches ready work with free slots. */
  readonly onShards: (shards: readonly Shard[]) => Promise<void>
}

/** Agents as people see and steer them. */
export class AgentsService {
  readonly #options: AgentsServiceOptions

  constructor(options: AgentsServiceOptions) {
    this.#options = options
  }

  list(tenant: TenantId, filter: AgentFilter): Promise<readonly AgentView[]> {
    return this.#options.database.asSystem('agents-view').read((tx) => readAgents(tx, tenant, filter))
  }

  async show(tenant: TenantId, id: string): Promise<AgentDetail> {
    return this.#options.database.asSystem('agents-view').read(async (tx) => {
      const agent = await readAgent(tx, tenant, id)
      if (agent === null) throw missing(id)
      const leases = await this.#options.leasesOf(tx, tenant, agent)
      const contexts = (await this.#options.contextsOf?.(tx, tenant, id)) ?? []
      const contextOf = (taskId: string) => contexts.findLast((context) => context.taskId === taskId) ?? null
      const placement = await readPlacement(tx, tenant, id)
      return { agent, placement, leases: leases.map((lease) => ({ ...lease, context: contextOf(lease.taskId) })) }
    })
  }

  /** Gives it nothing new. What it has goes on, and it stays. */
  cordon(tenant: TenantId, id: string, by: string): Promise<AgentView> {
    return this.#change(tenant, id, 'drain', 'cordon', `cordoned by ${by}`)
  }

  /** Takes back a cordon or a drain, or the wish to remove it. */
  async uncordon(tenant: TenantId, id: string, by: string): Promise<AgentView> {
    const agent = await this.#change(tenant, id, 'resume', null, `uncordoned by ${by}`)
    await this.#options.onShards([{ tenant, pool: agent.pool }])
    return agent
  }

  /** Gives it nothing new, for good or until it is uncordoned; whoever asks waits for `used` to be 0. */
  drain(tenant: TenantId, id: string, by: string): Promise<AgentView> {
    return this.#change(tenant, id, 'drain', 'drain', `drained by ${by}`)
  }

  /** Lets it finish what it has, then stops and forgets it. One that is offline and holds nothing is forgotten at once. */
  async remove(tenant: TenantId, id: string, by: string): Promise<{ id: string; state: AgentView['state'] }> {
    const { database } = this.#options
    return database.forTenant(tenant).write(async (tx) => {
      const agent = await this.#lock(tx, tenant, id)
      if (agent.state === 'offline' && agent.used === 0) {
        await deleteAgents(tx, [agent])
        return { id, state: 'offline' as const }
      }
      const change = { agent, event: 'drain', intent: 'remove', reason: `removed by ${by}` } as const
      const [changed] = await changeAgents(tx, [change], database.clock.now())
      return { id, state: changed!.state }
    })
  }

  async #change(
    tenant: TenantId,
    id: string,
    event: AgentEvent,
    intent: AgentIntent | null,
    reason: string,
  ): Promise<AgentView> {
    const { database } = this.#options
    await database.forTenant(tenant).write(async (tx) => {
      const agent = await this.#lock(tx, tenant, id)
      await changeAgents(tx, [{ agent, event, intent, reason }], database.clock.now())
    })
    return (await this.show(tenant, id)).agent
  }

  async #lock(tx: Tx, tenant: TenantId, id: string): Promise<AgentRow> {
    const agent = await lockAgent(tx, tenant, id)
    if (agent === null) throw missing(id)
    return agent
  }
}

function missing(id: string) {
  return agentErrors['agent-not-found'](`there is no agent ${id}`)
}
