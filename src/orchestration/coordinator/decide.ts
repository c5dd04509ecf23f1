import type { Candidate, Strategy } from '../../foundation/balancing/candidate.ts'

/** A ready task at the head of its lane. */
export interface Head {
  readonly taskId: string
  readonly readySeq: number
  /** What the attempt would hold, budget by budget. Even where that is nothing, something must be left of the budget. */
  readonly holds: readonly { readonly budget: string; readonly amount: number }[]
}

/** Tasks of one pool that ask for the same of an agent, with one priority. */
export interface Lane {
  readonly lane: string
  readonly priority: number
  readonly capabilities: readonly string[]
  /** The oldest first; there may be more behind them. */
  readonly heads: readonly Head[]
}

export interface FreeAgent extends Candidate {
  readonly runnerId: string
  readonly capabilities: ReadonlySet<string>
}

export interface ShardSnapshot {
  readonly lanes: readonly Lane[]
  readonly agents: readonly FreeAgent[]
  /** What each budget still admits; absent: no limit. */
  readonly budgets: ReadonlyMap<string, number>
  /** Most assignments of one tick. */
  readonly limit: number
}

export interface TaskAssignment {
  readonly taskId: string
  readonly agentId: string
  readonly runnerId: string
}

export interface Decision {
  readonly assignments: readonly TaskAssignment[]
  /** Ready tasks that a budget does not admit; they leave the lane until the budget has room. */
  readonly refused: readonly { readonly taskId: string; readonly budget: string }[]
}

export function canServe(
  agent: { readonly capabilities: ReadonlySet<string> },
  capabilities: readonly string[],
): boolean {
  return capabilities.every((capability) => agent.capabilities.has(capability))
}

/**
 * Which task goes to which agent. Higher priority first; lanes of one priority take turns, so that none starves another;
 * within a lane the oldest first. Never more than an agent's slots or a budget's remainder.
 */
export function decide(snapshot: ShardSnapshot, strategy: Strategy): Decision {
  const assignments: TaskAssignment[] = []
  const refused: { taskId: string; budget: string }[] = []
  const remaining = new Map(snapshot.budgets)
  const agents: (FreeAgent & { used: number })[] = snapshot.agents.map((agent) => ({ ...agent }))
  const priorities = [...new Set(snapshot.lanes.map((lane) => lane.priority))].sort((a, b) => b - a)

  for (const priority of priorities) {
    let turns = snapshot.lanes
      .filter((lane) => lane.priority === priority)
      .map((lane) => ({ lane, next: 0, able: agents.filter((agent) => canServe(agent, lane.capabilities)) }))
      .sort((a, b) => (a.lane.heads[0]?.readySeq ?? 0) - (b.lane.heads[0]?.readySeq ?? 0))
    while (turns.length > 0 && assignments.length < snapshot.limit) {
      turns = turns.filter((turn) => {
        if (assignments.length >= snapshot.limit) return false
        const head = turn.lane.heads[turn.next]
        if (head === undefined) return false
        const short = head.holds.find((hold) => (remaining.get(hold.budget) ?? Infinity) < Math.max(1, hold.amount))
        if (short !== undefined) {
          refused.push({ taskId: head.taskId, budget: short.budget })
          turn.next += 1
          return true
        }
        const agent = strategy.pick(turn.able)
        if (agent === null) return false
        agent.used += 1
        for (const hold of head.holds) {
          const left = remaining.get(hold.budget)
          if (left !== undefined) remaining.set(hold.budget, left - hold.amount)
        }
        assignments.push({ taskId: head.taskId, agentId: agent.id, runnerId: agent.runnerId })
        turn.next += 1
        return true
      })
    }
  }
  return { assignments, refused }
}
