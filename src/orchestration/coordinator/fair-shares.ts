/** One of those that share something. */
export interface Flow {
  /** Unique within its parent. */
  readonly key: string
  /** Above 0. Twice the weight, twice the share. */
  readonly weight: number
}

interface Group {
  /** The virtual time: how far the one has got that has got least far of those who wanted something. */
  now: number
  /** How far each flow has got in virtual time. */
  readonly flows: Map<string, number>
}

/** What the turn of the oldest needs to know of the decisions before. */
export interface OldestTurn {
  /** Tasks given since the oldest had its turn. */
  given: number
  /** A task whose turn it was and for which there was no agent. */
  passedOver: string | null
}

const mostRemembered = 10_000
/** One that cannot be served for long, because its agents are busy, may catch up on this much (tasks of weight 1). */
const mostBehind = 100

/**
 * Remembers who had how much, from one decision to the next: fair queueing with the virtual time of WF2Q+ (Bennett, Zhang 1997). Of those who
 * want something the one is served that would be the first to be done; being served moves it on by 1 / weight. Who comes
 * back after a pause begins where the others are: what nobody asked for is not saved up.
 */
export class FairShares {
  readonly #groups = new Map<string, Group>()
  readonly #turns = new Map<string, OldestTurn>()

  /** The flows of one parent, for the length of a decision. */
  open<F extends Flow>(parent: string, flows: readonly F[]): OpenShares<F> {
    let group = this.#groups.get(parent)
    if (group === undefined) {
      if (this.#groups.size >= mostRemembered) this.#groups.clear()
      group = { now: 0, flows: new Map() }
      this.#groups.set(parent, group)
    }
    const { now, flows: known } = group
    // Who has not got further than the others has nothing to remember.
    if (known.size > flows.length + 1_000) for (const [key, at] of known) if (at <= now) known.delete(key)
    const stand = flows.map((flow) => Math.max(now, known.get(flow.key) ?? now))
    const least = Math.max(...stand) - mostBehind
    return new OpenShares(
      group,
      flows.map((flow, n) => ({ flow, at: Math.max(least, stand[n]!) })),
    )
  }

  oldestTurn(parent: string): OldestTurn {
    let turn = this.#turns.get(parent)
    if (turn === undefined) {
      if (this.#turns.size >= mostRemembered) this.#turns.clear()
      turn = { given: 0, passedOver: null }
      this.#turns.set(parent, turn)
    }
    return turn
  }
}

export class OpenShares<F extends Flow> {
  readonly #group: Group
  readonly #all: readonly { readonly flow: F; at: number }[]
  readonly #open: { readonly flow: F; at: number }[]

  constructor(group: Group, all: readonly { readonly flow: F; at: number }[]) {
    this.#group = group
    this.#all = all
    this.#open = [...all]
  }

  /** Whose turn it is; among equals the first as given. Null: nobody is left. */
  next(): F | null {
    const open = this.#open
    if (open.length <= 1) return open[0]?.flow ?? null
    let best = open[0]!
    let least = best.at + 1 / best.flow.weight
    for (let n = 1; n < open.length; n++) {
      const done = open[n]!.at + 1 / open[n]!.flow.weight
      if (done < least) {
        best = open[n]!
        least = done
      }
    }
    return best.flow
  }

  /** It was served. */
  serve(flow: F): void {
    const entry = this.#open.find((one) => one.flow === flow)
    if (entry === undefined) return
    entry.at += 1 / flow.weight
  }

  /** It wants nothing more, or nothing that there is. */
  leave(flow: F): void {
    const at = this.#open.findIndex((one) => one.flow === flow)
    if (at >= 0) this.#open.splice(at, 1)
  }

  /** Remembers what was given. Call it when the decision is made. */
  close(): void {
    if (this.#all.length === 0) return
    this.#group.now = Math.max(this.#group.now, Math.min(...this.#all.map((entry) => entry.at)))
    for (const { flow, at } of this.#all) this.#group.flows.set(flow.key, at)
  }
}
