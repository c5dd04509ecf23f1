/** A pool at one moment, and over the time since the look before. */
export interface PoolSignals {
  readonly at: Date
  /** Agents that take work or will soon: starting, healthy, degraded and unhealthy ones. Draining and warm ones do not count. */
  readonly agents: number
  /** Tasks that one agent takes at a time, in the mean. At least 1. */
  readonly slotsPerAgent: number
  /** Slots of those agents that are in use. */
  readonly used: number
  /** Tasks that are ready and have no slot. */
  readonly queueDepth: number
  /** How long the oldest of them has been waiting, ms. */
  readonly waitMs: number
  /** Time since the look before, ms. */
  readonly spanMs: number
  /** Tasks that came to the pool in that time. */
  readonly arrivals: number
  /** Tasks that ended in that time, a second. */
  readonly throughput: number
  /** Mean time a task takes, ms; null while none has ended. */
  readonly serviceMs: number | null
}

/** Used slots by slots, 0 to 1. Without slots: 1 while something waits, else 0. */
export function utilisationOf({ used, agents, slotsPerAgent, queueDepth }: PoolSignals): number {
  const slots = agents * slotsPerAgent
  if (slots === 0) return queueDepth > 0 ? 1 : 0
  return Math.min(1, Math.max(0, used / slots))
}

/** Share by which throughput fell since the sample before, 0 to 1. An empty queue explains any fall, so it counts as none. */
export function throughputDropOf(now: PoolSignals, before: PoolSignals | undefined): number {
  if (before === undefined || before.throughput <= 0 || now.queueDepth === 0) return 0
  return Math.max(0, (before.throughput - now.throughput) / before.throughput)
}

/** What was seen and decided before. Oldest first. */
export interface ScalingHistory {
  readonly samples: readonly Sample[]
  /** When agents were last added, and last taken away. */
  readonly lastOutAt: Date | null
  readonly lastInAt: Date | null
}

export interface Sample extends PoolSignals {
  /** What the strategy wanted at that moment, before limits of rate and time. */
  readonly recommended: number
}
