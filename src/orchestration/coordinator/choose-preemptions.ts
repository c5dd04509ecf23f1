import { addAmounts, nothingHeld, type ResourceAmounts, usualRequest } from '../resources/amounts-contract.ts'
import type { FreeAgent } from './decide.ts'
import type { LaneRequirements } from './lane-contract.ts'
import { mayServe } from './placement.ts'
import { Rooms } from './rooms.ts'

/** Ready tasks of one lane. */
export interface WaitingLane extends LaneRequirements {
  readonly tasks: number
}

/** A lease whose step lets others take its place. */
export interface Victim {
  readonly taskId: string
  readonly agentId: string
  readonly lane: LaneRequirements
  readonly leasedAt: Date
}

export interface Preemption<V extends Victim> {
  readonly victim: V
  /** Priority of the task that is to have the place. */
  readonly for: number
}

/**
 * Which leases make room for waiting tasks of higher priority. Only where no agent has room anyway; the fewest leases for
 * each task, of these the ones of least priority, of these the youngest, whose work is the least loss. At most `most`.
 */
export function choosePreemptions<V extends Victim>(
  waiting: readonly WaitingLane[],
  victims: readonly V[],
  agents: readonly FreeAgent[],
  most: number,
): readonly Preemption<V>[] {
  const chosen: Preemption<V>[] = []
  const rooms = new Rooms()
  const used = new Map(agents.map((agent) => [agent.id, agent.used]))
  const open = new Map<string, V[]>()
  const cheapestFirst = [...victims].sort(
    (a, b) => a.lane.priority - b.lane.priority || b.leasedAt.getTime() - a.leasedAt.getTime(),
  )
  for (const victim of cheapestFirst) open.set(victim.agentId, [...(open.get(victim.agentId) ?? []), victim])

  for (const lane of [...waiting].sort((a, b) => b.priority - a.priority)) {
    const able = agents.filter((agent) => mayServe(agent, lane))
    const request = lane.resources ?? usualRequest
    for (let task = 0; task < lane.tasks && chosen.length < most; task++) {
      const plans = able.flatMap((agent) => {
        const given = planOn(agent, lane.priority, request)
        return given === null ? [] : [{ agent, given }]
      })
      const best = plans.sort((a, b) => costOf(a.given) - costOf(b.given))[0]
      if (best === undefined || chosen.length + best.given.length > most) break
      take(best.agent, best.given, request)
      for (const victim of best.given) chosen.push({ victim, for: lane.priority })
    }
  }
  return chosen

  /** The leases that would have to go so that the agent can take the task, none where it can anyway; null: none would do. */
  function planOn(agent: FreeAgent, priority: number, request: ResourceAmounts): readonly V[] | null {
    const given: V[] = []
    const candidates = (open.get(agent.id) ?? []).filter((victim) => victim.lane.priority < priority)
    let freed = nothingHeld
    for (;;) {
      const hasSlot = used.get(agent.id)! - given.length < agent.slots
      const held = addAmounts(request, freed, -1)
      if (hasSlot && (agent.rooms === undefined || rooms.fits(agent.rooms, held))) return given
      const next = candidates[given.length]
      if (next === undefined) return null
      given.push(next)
      freed = addAmounts(freed, next.lane.resources ?? usualRequest)
    }
  }

  function take(agent: FreeAgent, given: readonly V[], request: ResourceAmounts): void {
    used.set(agent.id, used.get(agent.id)! - given.length + 1)
    open.set(
      agent.id,
      (open.get(agent.id) ?? []).filter((victim) => !given.includes(victim)),
    )
    if (agent.rooms === undefined) return
    for (const victim of given)
      rooms.take(agent.rooms, addAmounts(nothingHeld, victim.lane.resources ?? usualRequest, -1))
    rooms.take(agent.rooms, request)
  }
}

/** Fewer first, then those of less priority. */
function costOf(given: readonly Victim[]): number {
  return given.reduce((sum, { lane }) => sum + 100 + lane.priority, 0)
}
