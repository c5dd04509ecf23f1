import type { Tx } from '../../foundation/platform/database/database.ts'
import type { Counters } from './counters.ts'
import type { LeasedTask } from './sql/assign-tasks.ts'
import type { Shard } from './sql/find-lanes.ts'
import type { TaskQueue } from './task-queue.ts'
import type { Taking, Ticker } from './tick.ts'

export interface HandOutParts {
  readonly ticker: Ticker
  readonly queue: TaskQueue
}

export interface HandOutRequest {
  /** Where work may be ready. */
  readonly asked: readonly Shard[]
  /** Where this transaction has made work ready, or those it gives back may be wanted. */
  readonly woken: readonly Shard[]
  readonly now: Date
  /** Leases for this runner come first. Null: for nobody in particular. */
  readonly forRunner: string | null
  /** What the transaction has changed so far on rows that others share. */
  readonly counters: Counters
  /** Whether the commit may travel behind the last statement, if nothing follows from these leases. Null: it may not. */
  readonly mayEnd: ((decided: readonly Taking[]) => boolean) | null
}

export interface HandOut {
  readonly leased: readonly LeasedTask[]
  /** Shards that others were ticking. */
  readonly taken: readonly Shard[]
  /** Whether the commit is on its way: the transaction can ask nothing more. */
  readonly ended: boolean
}

/**
 * The end of every transaction of the queue: runs whose steps are over move on, what is ready is handed out, and only then
 * the rows that many transactions share are written; where that wakes others, they have their turn too.
 */
export async function handOut(
  tx: Tx,
  { ticker, queue }: HandOutParts,
  { asked, woken, now, forRunner, counters, mayEnd }: HandOutRequest,
): Promise<HandOut> {
  const leased: LeasedTask[] = []
  const decided: Taking[] = []
  const taken: Shard[] = []
  const allOrNone = mayEnd !== null
  let ready = { asked, woken: [...woken, ...(await queue.moveOn(tx, counters, now))] }
  for (let round = 0; round < 2; round++) {
    const result = await ticker.tick(tx, { ...ready, now, forRunner, counters, allOrNone })
    taken.push(...result.taken)
    decided.push(...result.decided)
    const last = mayEnd?.(decided) ? queue.settleLast(tx, counters, now) : null
    const [given, next] = await Promise.all([result.leased, last ?? queue.settle(tx, counters, now)])
    leased.push(...given)
    if (last !== null) return { leased, taken, ended: true }
    if (next.length === 0) break
    ready = { asked: [], woken: [...next] }
  }
  await queue.settle(tx, counters, now)
  return { leased, taken, ended: false }
}
