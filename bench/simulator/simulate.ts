import type { Candidate, Strategy } from '../../src/foundation/balancing/candidate.ts'
import { Heap } from './heap.ts'
import type { Job } from './workload.ts'

export interface SimulatedAgent {
  readonly id: string
  /** Work done in a millisecond, against an agent of speed 1. */
  readonly speed: number
}

/** What a dispatcher may know of an agent. The oracle reads all of it; a strategy reads what it is to a candidate. */
export interface AgentView extends Candidate {
  readonly speed: number
  /** When it will have finished what it has now. */
  readonly freeAt: number
}

/** Whom a job goes to. Jobs go at once: the choice cannot be taken back. */
export interface Dispatcher {
  choose(agents: readonly AgentView[], job: Job, now: number): AgentView
  /** Told how long a job took from its arrival to its end. */
  observe?(id: string, milliseconds: number): void
}

export interface DispatcherTools {
  /** Numbers in [0, 1). */
  readonly random: () => number
  /** The time of the simulation. */
  readonly monotonic: () => number
}

type State = {
  -readonly [K in keyof AgentView]: AgentView[K]
}

interface End {
  readonly at: number
  readonly agent: State
  readonly job: Job
}

/** How often agents report the share of their time in which they were busy. What jobs reserve is known at once. */
const reportMs = 1_000
/** Jobs whose memory an agent has room for. */
const roomFor = 200
const plenty = 1_000_000

/**
 * Replays jobs against agents, each of which works one job off after another in the order of arrival. Returns the sojourn
 * time of each job (from its arrival to its end), in the order in which they arrived.
 */
export function simulate(
  jobs: readonly Job[],
  agents: readonly SimulatedAgent[],
  weightOf: (agent: SimulatedAgent) => number,
  make: (tools: DispatcherTools) => Dispatcher,
  random: () => number,
): number[] {
  let now = 0
  const dispatcher = make({ random, monotonic: () => now })
  const states = agents.map(
    (agent): State => ({ ...agent, slots: plenty, used: 0, weight: weightOf(agent), freeAt: 0, load: { cpu: 0 } }),
  )
  const ends = new Heap<End>((a, b) => a.at < b.at)
  let reportAt = reportMs

  const passTo = (time: number) => {
    for (;;) {
      const end = ends.first
      const next = Math.min(end?.at ?? Number.POSITIVE_INFINITY, reportAt)
      if (next > time) break
      now = next
      if (next === reportAt) {
        for (const state of states) report(state)
        reportAt += reportMs
      } else if (end !== undefined) {
        ends.pop()
        count(end.agent, -1)
        dispatcher.observe?.(end.agent.id, now - end.job.arrivesAt)
      }
    }
    now = time
  }
  /** An agent is busy without a gap until `freeAt`, so that what it worked since the last report can be told from it. */
  const report = (state: State) => {
    const idle = Math.max(0, now - Math.max(state.freeAt, now - reportMs))
    const share = state.used > 0 ? 1 : 1 - Math.min(1, idle / reportMs)
    state.load = { ...state.load, cpu: share }
  }
  const count = (state: State, more: number) => {
    state.used += more
    state.load = { ...state.load, memory: Math.min(1, state.used / roomFor) }
  }

  const sojourns = jobs.map((job) => {
    passTo(job.arrivesAt)
    const agent = dispatcher.choose(states, job, now) as State
    count(agent, 1)
    agent.freeAt = Math.max(agent.freeAt, now) + job.work / agent.speed
    ends.push({ at: agent.freeAt, agent, job })
    return agent.freeAt - job.arrivesAt
  })
  return sojourns
}

/** A strategy of ours as a dispatcher. */
export function byStrategy(strategy: Strategy): Dispatcher {
  return {
    choose: (agents, job) => strategy.pick(agents, { key: job.key })!,
    ...(strategy.observe ? { observe: (id, ms) => strategy.observe!(id, ms) } : {}),
  }
}
