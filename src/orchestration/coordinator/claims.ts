import type { Tx } from '../../foundation/platform/database/database.ts'

/**
 * What the ticks of this process have decided and the database does not show yet. With it several may work on a shard at a
 * time: each leaves out what the others took. Between processes the lock of a shard does the same, more coarsely.
 */
export class Claims {
  readonly #open = new Set<Claim>()
  readonly #views = new Set<Set<Claim>>()
  readonly #known = new WeakMap<Tx, Claim>()

  /** That of a transaction, from its first tick until it has ended, well or not. */
  of(tx: Tx): Claim {
    const known = this.#known.get(tx)
    if (known !== undefined) return known
    const claim = new Claim()
    this.#known.set(tx, claim)
    this.#open.add(claim)
    for (const view of this.#views) view.add(claim)
    tx.afterEnd(() => this.#open.delete(claim))
    return claim
  }

  /** How many other transactions are ticking a shard. */
  beside(own: Claim, shard: string): number {
    let count = 0
    for (const claim of this.#open) if (claim !== own && claim.shards.has(shard)) count += 1
    return count
  }

  /**
   * What others claim from now on until the view is closed, and what of theirs is not committed now. Taken before the
   * database is asked, it holds at least what the answer lacks; what both show is counted twice, which costs only room.
   */
  view(own: Claim): ClaimsView {
    const seen = new Set([...this.#open].filter((claim) => claim !== own))
    this.#views.add(seen)
    return new ClaimsView(seen, () => this.#views.delete(seen))
  }
}

export class Claim {
  readonly shards = new Set<string>()
  readonly agents = new Map<string, number>()
  readonly budgets = new Map<string, number>()
  readonly #tasks = new Map<string, Set<string>>()
  #size = 0

  /** How many tasks it has claimed. */
  get size(): number {
    return this.#size
  }

  tasksOf(tenant: string): ReadonlySet<string> | undefined {
    return this.#tasks.get(tenant)
  }

  tasks(tenant: string, taskIds: readonly string[]): void {
    const own = this.#tasks.get(tenant) ?? new Set()
    this.#tasks.set(tenant, own)
    for (const id of taskIds) own.add(id)
    this.#size += taskIds.length
  }

  agent(tenant: string, agentId: string, slots: number): void {
    add(this.agents, `${tenant}/${agentId}`, slots)
  }

  budget(tenant: string, budget: string, amount: number): void {
    add(this.budgets, `${tenant}/${budget}`, amount)
  }
}

export class ClaimsView {
  readonly #claims: ReadonlySet<Claim>
  readonly close: () => void

  constructor(claims: ReadonlySet<Claim>, close: () => void) {
    this.#claims = claims
    this.close = close
  }

  /** How many tasks of a shard others have claimed, or will, each at most `batch` over its shards: so many more are looked at. */
  sizeOf(shard: string, batch: number): number {
    let size = 0
    for (const claim of this.#claims) {
      if (claim.shards.has(shard)) size += Math.ceil(Math.max(claim.size, batch) / claim.shards.size)
    }
    return size
  }

  /** The claimed tasks of a tenant: those of each claim. */
  tasksOf(tenant: string): readonly ReadonlySet<string>[] {
    return [...this.#claims].flatMap((claim) => claim.tasksOf(tenant) ?? [])
  }

  /** Slots of an agent. */
  slotsOf(tenant: string, agentId: string): number {
    let slots = 0
    for (const claim of this.#claims) slots += claim.agents.get(`${tenant}/${agentId}`) ?? 0
    return slots
  }

  heldOf(tenant: string, budget: string): number {
    let held = 0
    for (const claim of this.#claims) held += claim.budgets.get(`${tenant}/${budget}`) ?? 0
    return held
  }
}

function add(counts: Map<string, number>, key: string, n: number): void {
  counts.set(key, (counts.get(key) ?? 0) + n)
}
