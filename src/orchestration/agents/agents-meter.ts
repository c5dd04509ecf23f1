import type { AgentId, TenantId } from '../../foundation/kernel/ids.ts'
import type { AttemptReport, ExchangePort } from '../runners/exchange-contract.ts'

export interface EndedWork {
  readonly tenant: TenantId
  readonly agentId: AgentId
  readonly count: number
  readonly busyMs: number
}

export interface Failing {
  readonly tenant: TenantId
  readonly agentId: AgentId
  readonly reason: string
}

/** Failures that speak of the agent, not of the task it was given. */
const faultsOfAgents: ReadonlySet<string> = new Set([
  'agent-crashed',
  'agent-unresponsive',
  'workspace-failed',
  'workdir-missing',
  'host-exhausted',
  'supervisor-lost',
])
/** Failures in a row after which an agent is taken for unhealthy. */
const failureThreshold = 3

/**
 * Listens to what runners report on their way to the coordinator: how much each agent ended, and which agents fail again
 * and again by their own fault. Kept in memory: what is lost with the process is a rate that comes back by itself.
 */
export class AgentsMeter {
  readonly #leases = new Map<number, AgentId>()
  readonly #ended = new Map<string, { tenant: TenantId; agentId: AgentId; count: number; busyMs: number }>()
  readonly #failures = new Map<string, number>()
  #failing: Failing[] = []

  forget(agentId: AgentId): void {
    this.#failures.delete(agentId)
  }

  /** The same port, listened to. */
  listenTo(port: ExchangePort): ExchangePort {
    return {
      onHint: (runnerId, wake) => port.onHint(runnerId, wake),
      exchange: async (request, signal) => {
        const reply = await port.exchange(request, signal)
        for (const report of request.reports) this.#take(report)
        for (const lease of reply.assignments) this.#leases.set(lease.fence, lease.agentId)
        for (const { fence } of reply.revoked) this.#leases.delete(fence)
        return reply
      },
    }
  }

  /** What ended since this was asked last. */
  takeEnded(): readonly EndedWork[] {
    const ended = [...this.#ended.values()]
    this.#ended.clear()
    return ended
  }

  /** The agents that became unhealthy since this was asked last. */
  takeFailing(): readonly Failing[] {
    return this.#failing.splice(0)
  }

  #take(report: AttemptReport): void {
    const agentId = this.#leases.get(report.fence)
    if (agentId === undefined) return
    this.#leases.delete(report.fence)
    const sum = this.#ended.get(agentId) ?? { tenant: report.tenant, agentId, count: 0, busyMs: 0 }
    sum.count += 1
    sum.busyMs += Math.max(0, Date.parse(report.endedAt) - Date.parse(report.startedAt))
    this.#ended.set(agentId, sum)
    this.#judge(report, agentId)
  }

  #judge({ tenant, error, outcome }: AttemptReport, agentId: AgentId): void {
    if (error === null || !faultsOfAgents.has(error.code)) {
      // Being cancelled says nothing about the agent.
      if (outcome !== 'cancelled') this.#failures.delete(agentId)
      return
    }
    const count = (this.#failures.get(agentId) ?? 0) + 1
    this.#failures.set(agentId, count)
    if (count < failureThreshold) return
    // After its rest, one more failure is enough.
    this.#failures.set(agentId, failureThreshold - 1)
    this.#failing.push({
      tenant,
      agentId,
      reason: `${error.code}, ${failureThreshold} times in a row: ${error.message}`,
    })
  }
}
