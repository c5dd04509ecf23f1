import { dimensions } from '../../foundation/balancing/dimensions-contract.ts'
import {
  addAmounts,
  fitsBeside,
  nothingHeld,
  type ResourceAmounts,
  type SomeResources,
  utilisation,
} from '../resources/amounts-contract.ts'

/** What an agent, or all agents of a runner, may hand out. Agents that draw on the same resources name the same room. */
export interface Room {
  readonly key: string
  readonly capacity: SomeResources
  /** What the leases hold already. */
  readonly held: ResourceAmounts
}

/** The rooms during one decision: what is given takes from all that draw on it. */
export class Rooms {
  readonly #held = new Map<string, ResourceAmounts>()

  fits(rooms: readonly Room[], request: ResourceAmounts): boolean {
    return rooms.every((room) => fitsBeside(request, this.heldIn(room), room.capacity))
  }

  take(rooms: readonly Room[], request: ResourceAmounts): void {
    for (const room of rooms) this.#held.set(room.key, addAmounts(this.heldIn(room), request))
  }

  /** Whether the request would fit if nothing else were held. */
  everFits(room: Room, request: ResourceAmounts): boolean {
    return fitsBeside(request, nothingHeld, room.capacity)
  }

  /** How full they are, 0 to 1: the mean over the resources of the fullest. */
  fullness(rooms: readonly Room[]): number {
    const means = rooms.map((room) => {
      const shares = Object.values(utilisation(this.heldIn(room), room.capacity))
      return shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length)
    })
    return Math.max(0, ...means)
  }

  heldIn(room: Room): ResourceAmounts {
    return this.#held.get(room.key) ?? room.held
  }

  /** The fullest of the rooms, resource by resource, against what was measured of them. */
  loadOf(rooms: readonly Room[], measured: SomeResources = {}): SomeResources {
    const load: Record<string, number> = { ...measured }
    for (const room of rooms) {
      const shares = utilisation(this.heldIn(room), room.capacity)
      for (const name of dimensions) {
        const share = shares[name]
        if (share !== undefined) load[name] = Math.max(load[name] ?? 0, share)
      }
    }
    return load
  }
}
