import type { Dimension } from './dimensions-contract.ts'

/** What a strategy may look at. One for agents that take tasks, one for upstreams that take requests. */
export interface Candidate {
  readonly id: string
  /** How many it may work on at once. */
  readonly slots: number
  /** How many it works on now. */
  readonly used: number
  /** Its share among equals. Above 0. */
  readonly weight: number
  /** Share of each resource in use, 0 to 1. What is not known is absent. */
  readonly load?: Readonly<Partial<Record<Dimension, number>>>
  /** What it can do, and how well (1 to 10). */
  readonly levels?: ReadonlyMap<string, number>
}

/** What is known of the work that is to be placed. All of it may be left out. */
export interface PickRequest {
  /** Work with the same key belongs together: a workspace, a conversation. */
  readonly key?: string
  /** Capabilities it needs, with the least level of each. */
  readonly required?: ReadonlyMap<string, number>
  /** Capabilities it would like. */
  readonly preferred?: ReadonlyMap<string, number>
}

/** Chooses one of the candidates that have room; null when none has. Pure but for what it remembers of its own picks. */
export interface Strategy {
  pick<C extends Candidate>(candidates: readonly C[], request?: PickRequest): C | null
  /** Told how long a piece of work took from its pick to its end, in milliseconds. Absent: nothing is learned from it. */
  observe?(id: string, milliseconds: number): void
  /** What it remembers of its picks, where that decides the next; for those who pick in turn with others. Absent: nothing. */
  readonly turn?: Turn
  /** For many picks from one list: see `PickSession`. Absent: `pick` is as good. */
  session?<C extends Candidate>(candidates: readonly C[]): PickSession<C>
}

/** Whose turn it is, as JSON, so that somebody else can go on where this one is. */
export interface Turn {
  read(): unknown
  /** Forgets its own. What is not of `read` is taken for nothing remembered. */
  resume(from: unknown): void
}

/**
 * Picks again and again from one list. Between two picks the candidates may have become busier, never less busy; the caller
 * counts up `used` of what was picked. The picks are those that `pick` would have made.
 */
export interface PickSession<C extends Candidate> {
  pick(request?: PickRequest): C | null
}

export interface StrategyOptions {
  /** Numbers in [0, 1). Default: `Math.random`. */
  readonly random?: () => number
  /** Milliseconds that only ever grow. Default: `performance.now`. */
  readonly monotonic?: () => number
  /** How long candidates take, where somebody else observes it too. Default: what the strategy itself is told. */
  readonly latency?: Latencies
}

/** Expected milliseconds by candidate. */
export interface Latencies {
  observe(id: string, milliseconds: number): void
  of(id: string): number
}

export function hasRoom(candidate: Candidate): boolean {
  return candidate.used < candidate.slots
}

/** The session of a strategy; one that has none of its own picks from the list each time. */
export function openSession<C extends Candidate>(strategy: Strategy, candidates: readonly C[]): PickSession<C> {
  return strategy.session?.(candidates) ?? { pick: (request) => strategy.pick(candidates, request) }
}
