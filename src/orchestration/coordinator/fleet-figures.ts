import { PeakEwma } from '../../foundation/balancing/peak-ewma.ts'
import type { Clock } from '../../foundation/kernel/clock.ts'
import type { ExchangePort, ExchangeReply, ExchangeRequest } from '../runners/exchange-contract.ts'

type Load = NonNullable<ExchangeRequest['load']>

const mostLeases = 50_000
const mostRunners = 10_000
/** What was measured longer ago says nothing of now. */
const freshMs = 30_000

/**
 * What runners tell by the way: how long each agent takes for its work, and how busy its machine is. Kept in memory, by each
 * process for itself: strategies choose better with it, and none needs it to be right.
 */
export class FleetFigures {
  /** By agent: from the hand-out of a lease to the report of its success, as runners see it. */
  readonly latency: PeakEwma
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #leases = new Map<number, { readonly agentId: string; readonly at: number }>()
  readonly #loads = new Map<string, { readonly load: Load; readonly at: number }>()

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
    this.latency = new PeakEwma(() => clock.monotonic())
  }

  /** Shares in use of the machine a runner is on, 0 to 1; undefined where it has not said lately. */
  loadOf(runnerId: string): Load | undefined {
    const told = this.#loads.get(runnerId)
    return told !== undefined && this.#clock.monotonic() - told.at < freshMs ? told.load : undefined
  }

  /** The same port, listened to. */
  listenTo(port: ExchangePort): ExchangePort {
    return {
      onHint: (runnerId, wake) => port.onHint(runnerId, wake),
      exchange: async (request, signal) => {
        const reply = await port.exchange(request, signal)
        this.#take(request, reply)
        return reply
      },
    }
  }

  #take(request: ExchangeRequest, reply: ExchangeReply): void {
    const at = this.#clock.monotonic()
    if (request.load !== undefined) {
      if (this.#loads.size >= mostRunners) this.#loads.clear()
      this.#loads.set(request.runnerId, { load: request.load, at })
    }
    for (const { fence, outcome } of request.reports) {
      const lease = this.#leases.get(fence)
      if (lease === undefined) continue
      this.#leases.delete(fence)
      // Ends of other kinds say little of the pace of the agent.
      if (outcome === 'succeeded') this.latency.observe(lease.agentId, at - lease.at)
    }
    for (const { fence, agentId } of reply.assignments) {
      // The oldest is the least likely to be heard of again: its runner may report to somebody else.
      if (this.#leases.size >= mostLeases) this.#leases.delete(this.#leases.keys().next().value!)
      this.#leases.set(fence, { agentId, at })
    }
  }
}
