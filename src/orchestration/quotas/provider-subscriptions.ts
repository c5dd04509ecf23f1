import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import { countsWindow } from '../budgets/budget-windows-contract.ts'
import type {
  CountedSubscription,
  OpenSubscriptions,
  SubscribedUse,
  SubscriptionDraw,
  SubscriptionPort,
} from '../budgets/subscription-port.ts'
import {
  lockSubscriptions,
  readSubscriptions,
  type SubscriptionRow,
  subscribedPools,
  writeStates,
} from './provider-subscriptions-store.ts'
import { drawOn } from './subscription-share.ts'

/** For how long the pools with a subscription are remembered, ms. */
const rememberMs = 5_000

/** Turns what agents use into shares of the subscriptions that they work on. */
export class ProviderSubscriptions implements SubscriptionPort {
  readonly #database: Database
  readonly #byCalls: ReadonlySet<string>
  #known: { readonly at: number; readonly pools: Promise<ReadonlySet<string>> } | null = null

  /** @param byCalls subscriptions that calls through our gateway draw on by themselves */
  constructor(database: Database, byCalls: ReadonlySet<string> = new Set()) {
    this.#database = database
    this.#byCalls = byCalls
  }

  subscribedPools(): Promise<ReadonlySet<string>> {
    const at = this.#database.clock.monotonic()
    if (this.#known === null || at - this.#known.at > rememberMs) {
      const pools = this.#database.asSystem('budgets').read(subscribedPools)
      this.#known = { at, pools }
      pools.catch(() => this.forget())
    }
    return this.#known.pools
  }

  /** After a change: the next question is asked of the database. */
  forget(): void {
    this.#known = null
  }

  async lock(tx: Tx, uses: readonly SubscribedUse[]): Promise<OpenSubscriptions> {
    const rows = await lockSubscriptions(
      tx,
      [...new Set(uses.map((use) => use.tenant))],
      uses.flatMap(({ pool }) => (pool === null ? [] : [pool])),
      uses.flatMap(({ subscription }) => (subscription === null ? [] : [subscription])),
    )
    return new LockedSubscriptions(tx, rows, this.#byCalls)
  }

  async countedBy(tx: ReadTx, tenant: TenantId, window: string): Promise<readonly CountedSubscription[]> {
    const rows = await readSubscriptions(tx, tenant)
    return rows
      .filter(({ timeWindow }) => countsWindow(window, timeWindow))
      .map(({ name, timeWindow, windowEnd, usedPpm }) => ({ name, window: timeWindow, windowEnd, usedPpm }))
  }
}

class LockedSubscriptions implements OpenSubscriptions {
  readonly #tx: Tx
  readonly #rows: Map<string, SubscriptionRow>
  readonly #byCalls: ReadonlySet<string>
  readonly #changed = new Set<string>()

  constructor(tx: Tx, rows: readonly SubscriptionRow[], byCalls: ReadonlySet<string>) {
    this.#tx = tx
    this.#byCalls = byCalls
    this.#rows = new Map(rows.map((row) => [`${row.tenant}/${row.name}`, row]))
  }

  draw(use: SubscribedUse, now: Date): readonly SubscriptionDraw[] {
    return [...this.#rows].flatMap(([key, row]) => {
      const isIts =
        use.subscription === null ? use.pool !== null && row.pools.includes(use.pool) : use.subscription === row.name
      if (row.tenant !== use.tenant || !isIts) return []
      if (use.metered === true && this.#byCalls.has(row.name)) return []
      const { state, ppm } = drawOn(row, row, use, now)
      this.#rows.set(key, { ...row, ...state })
      this.#changed.add(key)
      return [{ subscription: row.name, window: row.timeWindow, ppm }]
    })
  }

  async write(now: Date): Promise<void> {
    const changed = [...this.#changed].map((key) => this.#rows.get(key)!)
    await writeStates(this.#tx, changed, now)
  }
}
