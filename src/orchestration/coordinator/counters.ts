import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { AgentDelta, BudgetDelta, CounterDeltas, StepDelta } from './sql/apply-counters.ts'

export interface FreedPlaces {
  readonly tenant: TenantId
  readonly keys: readonly string[]
}

/**
 * What a transaction changes on rows that others want too, gathered so that it is written once, at its end. What a batch
 * gives back and takes again cancels out: a busy agent's row is then not touched at all.
 */
export class Counters {
  readonly #agents = new Map<string, AgentDelta>()
  readonly #steps = new Map<string, StepDelta>()
  readonly #budgets = new Map<string, BudgetDelta>()
  #freed: FreedPlaces[] = []

  agent({ tenant, agentId, used }: AgentDelta): void {
    const key = `${tenant}/${agentId}`
    this.#agents.set(key, { tenant, agentId, used: used + (this.#agents.get(key)?.used ?? 0) })
  }

  step({ tenant, runId, step, open, failed, cancelled, seen }: StepDelta): void {
    const key = `${tenant}/${runId}/${step}`
    const before = this.#steps.get(key)
    this.#steps.set(key, {
      ...{ tenant, runId, step, seen },
      open: open + (before?.open ?? 0),
      failed: failed + (before?.failed ?? 0),
      cancelled: cancelled + (before?.cancelled ?? 0),
    })
  }

  budget({ tenant, budget, held, spent, at = null }: BudgetDelta): void {
    const key = `${tenant}/${budget}/${at ?? ''}`
    const before = this.#budgets.get(key)
    const sum = { held: held + (before?.held ?? 0), spent: spent + (before?.spent ?? 0) }
    this.#budgets.set(key, { tenant, budget, at, ...sum })
  }

  /** Places under concurrency keys that ended tasks gave back. */
  free(places: readonly FreedPlaces[]): void {
    this.#freed.push(...places)
  }

  get hasFreed(): boolean {
    return this.#freed.length > 0
  }

  takeFreed(): readonly FreedPlaces[] {
    const freed = this.#freed
    this.#freed = []
    return freed
  }

  add(deltas: CounterDeltas): void {
    for (const delta of deltas.agents) this.agent(delta)
    for (const delta of deltas.steps) this.step(delta)
    for (const delta of deltas.budgets) this.budget(delta)
  }

  /** How many slots of an agent this transaction has taken, or given back where it is negative. */
  usedOf(tenant: string, agentId: string): number {
    return this.#agents.get(`${tenant}/${agentId}`)?.used ?? 0
  }

  /** What this transaction has taken from a budget: held and spent together. */
  takenOf(tenant: string, budget: string): number {
    const delta = this.#budgets.get(`${tenant}/${budget}/`)
    return delta === undefined ? 0 : delta.held + delta.spent
  }

  /** What this transaction has spent of a budget, whenever it was held. */
  spentOf(tenant: string, budget: string): number {
    let spent = 0
    for (const delta of this.#budgets.values()) {
      if (delta.tenant === tenant && delta.budget === budget) spent += delta.spent
    }
    return spent
  }

  /** Agents with slots that this transaction gave back. */
  get freedAgents(): readonly string[] {
    return [...this.#agents.values()].filter((delta) => delta.used < 0).map((delta) => delta.agentId)
  }

  /** What `take` would return. */
  peek(): CounterDeltas {
    return {
      agents: [...this.#agents.values()].filter((delta) => delta.used !== 0),
      steps: [...this.#steps.values()],
      budgets: [...this.#budgets.values()].filter((delta) => delta.held !== 0 || delta.spent !== 0),
    }
  }

  /** The changes of steps that may be over by them, since the last call. */
  takeEnding(): readonly StepDelta[] {
    const ending = [...this.#steps].filter(([, delta]) => mayEnd(delta))
    for (const [key] of ending) this.#steps.delete(key)
    return ending.map(([, delta]) => delta)
  }

  /** Everything gathered since the last call, without what cancelled out. */
  take(): CounterDeltas {
    const deltas = this.peek()
    this.#agents.clear()
    this.#steps.clear()
    this.#budgets.clear()
    return deltas
  }
}

/** Whether a step has no open task left, as far as could be seen without a lock. */
export function mayEnd(step: StepDelta): boolean {
  return step.seen + step.open <= 0
}

export function isEmpty(deltas: CounterDeltas): boolean {
  return deltas.agents.length === 0 && deltas.steps.length === 0 && deltas.budgets.length === 0
}
