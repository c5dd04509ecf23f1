/** Leases given out here whose end is not known yet, so that strategies can learn how long each agent takes. */
export class LeaseTimes {
  readonly #leases = new Map<number, { readonly agentId: string; readonly at: number; readonly told: Learner }>()
  readonly #most: number

  constructor(most = 50_000) {
    this.#most = most
  }

  given(fence: number, agentId: string, at: number, told: Learner): void {
    // The oldest is the least likely to be heard of again: its runner may report to somebody else.
    if (this.#leases.size >= this.#most) this.#leases.delete(this.#leases.keys().next().value!)
    this.#leases.set(fence, { agentId, at, told })
  }

  /** The lease has ended well; ends of other kinds say nothing of the agent's pace. */
  ended(fence: number, at: number): void {
    const lease = this.#leases.get(fence)
    if (lease === undefined) return
    this.#leases.delete(fence)
    lease.told.observe?.(lease.agentId, at - lease.at)
  }
}

interface Learner {
  observe?(id: string, milliseconds: number): void
}
