import type { IdSource } from '../../foundation/kernel/ids.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { placesIn } from './batch-ask.ts'
import { KnownBudgets } from './known-budgets.ts'
import { type BatchResult, runBatch } from './run-batch.ts'
import { NotAsKnown, planKnown, runKnownBatch } from './run-known-batch.ts'
import { type AskOp, drawOf, type EndOp } from './spender-operations.ts'

/** How many batches look first after one did not fit what was known. */
const looksAfterMiss = 8

/** Writes batches of one spender, and remembers what they tell of the budgets. */
export class BatchWriter {
  readonly #database: Database
  readonly #ids: IdSource
  readonly #holder: string
  readonly #known = new KnownBudgets()
  /** How many batches are not tried from what is known. */
  #looks = 0

  constructor(database: Database, ids: IdSource, holder: string) {
    this.#database = database
    this.#ids = ids
    this.#holder = holder
  }

  /** From what is known, in one statement, where that is enough; else by looking first. */
  async write(asks: readonly AskOp[], endOps: readonly EndOp[]): Promise<Omit<BatchResult, 'budgets'>> {
    const { clock } = this.#database
    const system = this.#database.asSystem('budgets')
    const draws = asks.filter((op) => op.ask.extends !== null)
    const endings = [...endOps.map((op) => op.ending), ...draws.map(drawOf)]
    const wishes = asks.map((op) => op.ask)
    const plan =
      asks.some((op) => op.recorded) || this.#looks-- > 0 ? null : planKnown(endings, wishes, this.#known, this.#holder)
    if (plan !== null) {
      try {
        return await system.write((tx) => runKnownBatch(tx, plan, clock.now()))
      } catch (error) {
        if (!(error instanceof NotAsKnown)) throw error
        // Near a limit the next batches will not fit either.
        this.#looks = looksAfterMiss
      }
    }
    const options = { holder: this.#holder, ids: this.#ids }
    const result = await system.write((tx) => runBatch(tx, endings, wishes, { ...options, now: clock.now() }))
    this.#known.learn(placesIn(wishes), result.budgets)
    return result
  }
}
