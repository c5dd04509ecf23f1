import { hostname } from 'node:os'
import type { AgentId, IdSource, RunnerId, TenantId } from '../foundation/kernel/ids.ts'
import type { AgentHost } from '../orchestration/agents/agents-host.ts'
import type { HostedAgent } from '../orchestration/runners/hosted-agent.ts'
import type { Runner } from '../orchestration/runners/runner.ts'

export interface AgentHostOptions {
  readonly tenant: TenantId
  readonly ids: IdSource
  /** Makes an agent of each pool that this process can run, by its id. */
  readonly templates: ReadonlyMap<string, (agentId: string) => HostedAgent>
  /** Starts a runner for one agent. */
  readonly launch: (runnerId: RunnerId, agent: HostedAgent) => Runner
  /** Gives up runners that are gone for good. */
  readonly giveUp: (runnerIds: readonly string[]) => Promise<void>
  /** Agents started here at a time, at most. Default 256. */
  readonly most?: number
}

/** Agents in this process: each has a runner of its own, so that it comes and goes without the others noticing. */
export interface LocalAgentHost extends AgentHost {
  drain(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

interface Started {
  readonly runnerId: RunnerId
  readonly runner: Runner
}

export function createAgentHost(options: AgentHostOptions): LocalAgentHost {
  const { tenant, ids, templates, launch, giveUp, most = 256 } = options
  const started = new Map<AgentId, Started>()
  const template = (pool: string) => templates.get(pool)!

  async function end(agentId: AgentId, { runnerId, runner }: Started): Promise<void> {
    started.delete(agentId)
    await runner.close()
    await giveUp([runnerId])
  }

  return {
    pools: () => [...templates.keys()].map((pool) => ({ tenant, pool, room: most - started.size })),
    plan(_, pool) {
      const runnerId = ids.next<RunnerId>('rnr')
      const { registration } = template(pool)(`${runnerId}.${pool}`)
      return { runnerId, host: hostname(), pid: process.pid, registration }
    },
    async start({ runnerId, registration: { agentId, pool } }) {
      started.set(agentId, { runnerId, runner: launch(runnerId, template(pool)(agentId)) })
    },
    async stop(agentId) {
      const one = started.get(agentId)
      if (one === undefined) return
      // It holds no lease, but its last report may still be on its way.
      await one.runner.drain(AbortSignal.timeout(lastReportMs))
      await end(agentId, one)
    },
    running: () => [...started.keys()],
    drain: async (signal) => {
      await Promise.all([...started.values()].map(({ runner }) => runner.drain(signal)))
    },
    close: async () => {
      await Promise.all([...started].map(([agentId, one]) => end(agentId, one)))
    },
  }
}

const lastReportMs = 3_000
