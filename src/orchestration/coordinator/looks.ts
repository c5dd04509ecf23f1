import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { Tx } from '../../foundation/platform/database/database.ts'
import type { ClaimsView } from './claims.ts'
import type { Shard, ShardLanes } from './sql/find-lanes.ts'
import type { LaneHeads, RemainingBudget } from './sql/read-heads.ts'

/** A task that the transaction has made ready itself. */
export interface FreshTask {
  readonly tenant: TenantId
  readonly taskId: string
  readonly pool: string
  readonly lane: string
  readonly budgetIds: readonly string[]
  readonly holds: readonly number[]
}

/** What was asked of shards before there was work in them. */
export interface Look {
  readonly shards: readonly Shard[]
  /** The shards that nobody else is ticking, now held; and what waits in each and who is free. */
  readonly answer: Promise<readonly [readonly Shard[], readonly ShardLanes[]]>
  readonly view: ClaimsView
  /** What the budgets admit that bind the work. Those of single tasks are left out: nothing is taken of them yet. */
  readonly remaining: Promise<readonly RemainingBudget[]>
}

export interface FreshLook extends Look {
  readonly fresh: readonly FreshTask[]
}

interface Open {
  readonly look: Look
  readonly fresh: FreshTask[]
}

/**
 * The looks of transactions that expect to make work ready: the questions travel ahead of what they write, so that their tick
 * need not ask again where nothing else waits. A transaction has one at most.
 */
export class Looks {
  /** Null: it has had one. */
  readonly #open = new WeakMap<Tx, Open | null>()

  /** Of two looks neither tells of what was made ready between them. */
  keep(tx: Tx, look: Look): void {
    this.#open.set(tx, this.#open.has(tx) ? null : { look, fresh: [] })
  }

  /** New tasks that are ready. */
  add(tx: Tx, tasks: readonly FreshTask[]): void {
    this.#open.get(tx)?.fresh.push(...tasks)
  }

  /** Others become ready in the transaction too: what was asked before does not tell of them. */
  drop(tx: Tx): void {
    if (this.#open.has(tx)) this.#open.set(tx, null)
  }

  /** The look of a transaction, once. */
  take(tx: Tx): FreshLook | null {
    const open = this.#open.get(tx) ?? null
    if (open === null) return null
    this.#open.set(tx, null)
    return { ...open.look, fresh: open.fresh }
  }
}

/** New tasks as the heads of their lanes, in the order in which they were made. */
export function headsOfFresh(tasks: readonly FreshTask[]): LaneHeads[] {
  const numbered = tasks.map((task, n) => ({ ...task, n }))
  return [...Map.groupBy(numbered, ({ tenant, pool, lane }) => `${tenant}/${pool}/${lane}`).values()].map((own) => ({
    tenant: own[0]!.tenant,
    pool: own[0]!.pool,
    lane: own[0]!.lane,
    ids: own.map(({ taskId }) => taskId),
    readySeqs: own.map(({ n }) => n),
    holds: own.map(({ budgetIds, holds }) =>
      budgetIds.length === 0 ? '' : `${budgetIds.join(',')}=${holds.join(',')}`,
    ),
  }))
}
