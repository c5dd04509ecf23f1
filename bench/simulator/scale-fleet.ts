import type { PoolSignals } from '../../src/orchestration/scaling/signals.ts'
import { Heap } from './heap.ts'
import type { Job } from './workload.ts'

/** What decides about the size of the simulated pool, every so often. */
export interface Scaler {
  readonly everyMs: number
  /** Agents at the beginning. */
  readonly initial: number
  /** How many agents there should be. Agents that start are part of `signals.agents`; `ready` are those that work. */
  decide(signals: PoolSignals, seen: Seen, now: number): number
}

export interface Seen {
  readonly ready: number
  /** Busy agents in the mean since the look before. */
  readonly meanUsed: number
}

export interface FleetSettings {
  /** From the order to the first task, ms. */
  readonly startupMs: number
  /** A task that waits longer misses its objective, ms. */
  readonly objectiveMs: number
}

export interface FleetFigures {
  /** Share of tasks that began later than the objective. */
  readonly misses: number
  /** Agents, added up over time: from the order to start until they are gone. */
  readonly agentSeconds: number
  readonly meanWaitMs: number
  readonly changes: number
}

type Event = { readonly at: number } & (
  | { readonly kind: 'end' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'look' }
)

/**
 * Replays jobs against a pool of equal agents of one slot each, which are started and stopped as the scaler says. An agent
 * that is taken away finishes what it has; those that have nothing, or have not started, go first.
 */
export function scaleFleet(jobs: readonly Job[], scaler: Scaler, settings: FleetSettings): FleetFigures {
  const events = new Heap<Event>((a, b) => a.at < b.at)
  const queue: Job[] = []
  let head = 0
  let now = 0
  let ready = scaler.initial
  let busy = 0
  let starting = 0
  /** Of those that start, how many are not wanted any more. */
  let unwanted = 0
  let draining = 0
  let agentMs = 0
  let busyMs = 0
  let busyAtLook = 0
  let ended = 0
  let arrived = 0
  let workEnded = 0
  let begun = 0
  let missed = 0
  let waited = 0
  let changes = 0
  const last = jobs.at(-1)!.arrivesAt
  const waiting = () => queue.length - head

  const advance = (to: number) => {
    agentMs += (ready + draining + starting - unwanted) * (to - now)
    busyMs += busy * (to - now)
    now = to
  }
  const begin = () => {
    while (busy < ready && waiting() > 0) {
      const job = queue[head++]!
      if (head > 10_000) {
        queue.splice(0, head)
        head = 0
      }
      const wait = now - job.arrivesAt
      begun += 1
      waited += wait
      if (wait > settings.objectiveMs) missed += 1
      busy += 1
      workEnded += job.work
      events.push({ at: now + job.work, kind: 'end' })
    }
  }
  const resize = (to: number) => {
    const present = ready + starting - unwanted
    if (to === present) return
    changes += 1
    if (to > present) {
      let more = to - present
      // Those on their way out are kept before new ones are started.
      const kept = Math.min(more, draining)
      draining -= kept
      ready += kept
      busy += kept
      more -= kept
      const back = Math.min(more, unwanted)
      unwanted -= back
      more -= back
      starting += more
      for (let n = 0; n < more; n++) events.push({ at: now + settings.startupMs, kind: 'ready' })
      return
    }
    let fewer = present - to
    const fresh = Math.min(fewer, starting - unwanted)
    unwanted += fresh
    fewer -= fresh
    const idle = Math.min(fewer, ready - busy)
    ready -= idle
    fewer -= idle
    ready -= fewer
    busy -= fewer
    draining += fewer
  }
  const look = () => {
    const agents = ready + starting - unwanted
    const signals: PoolSignals = {
      at: new Date(now),
      agents,
      slotsPerAgent: 1,
      used: busy,
      queueDepth: waiting(),
      waitMs: waiting() === 0 ? 0 : now - queue[head]!.arrivesAt,
      spanMs: scaler.everyMs,
      arrivals: arrived,
      throughput: ended / (scaler.everyMs / 1_000),
      serviceMs: begun === 0 ? null : workEnded / begun,
    }
    const meanUsed = (busyMs - busyAtLook) / scaler.everyMs
    busyAtLook = busyMs
    ended = 0
    arrived = 0
    resize(scaler.decide(signals, { ready, meanUsed }, now))
    if (now < last || waiting() > 0) events.push({ at: now + scaler.everyMs, kind: 'look' })
  }

  events.push({ at: scaler.everyMs, kind: 'look' })
  let next = 0
  for (;;) {
    const job = jobs[next]
    const event = events.first
    if (job !== undefined && (event === undefined || job.arrivesAt <= event.at)) {
      advance(job.arrivesAt)
      queue.push(job)
      arrived += 1
      next += 1
    } else if (event !== undefined) {
      events.pop()
      advance(event.at)
      if (event.kind === 'look') look()
      else if (event.kind === 'ready') {
        starting -= 1
        if (unwanted > 0) unwanted -= 1
        else ready += 1
      } else {
        ended += 1
        // The agents are alike, so any that drains may be the one whose task has ended.
        if (draining > 0) draining -= 1
        else busy -= 1
      }
    } else break
    begin()
    if (next === jobs.length && waiting() === 0) break
  }
  return { misses: missed / begun, agentSeconds: agentMs / 1_000, meanWaitMs: waited / begun, changes }
}
