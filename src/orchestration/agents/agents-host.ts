import type { AgentId, RunnerId, TenantId } from '../../foundation/kernel/ids.ts'
import type { AgentRegistration } from '../runners/exchange-contract.ts'

/** An agent that is about to be started, with the runner on which it will live. */
export interface PlannedAgent {
  readonly runnerId: RunnerId
  readonly host: string
  readonly pid: number
  readonly registration: AgentRegistration
}

export interface HostedPool {
  readonly tenant: TenantId
  readonly pool: string
  /** How many more agents of it can be started here. */
  readonly room: number
}

/** Where agents are really started and stopped: this process, a machine that joined, a container engine, a cluster. */
export interface AgentHost {
  pools(): readonly HostedPool[]
  /** Names a new agent; nothing is started. The caller announces it first, so that its first report is of a known one. */
  plan(tenant: TenantId, pool: string): PlannedAgent
  start(agent: PlannedAgent): Promise<void>
  /** Ends one that holds no lease, and all that belongs to it. Unknown ids are none of its agents: nothing happens. */
  stop(agentId: AgentId): Promise<void>
  /** The agents that it has started and not stopped. */
  running(): readonly AgentId[]
}
