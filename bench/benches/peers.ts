import type { Bench } from '../harness/bench.ts'
import { measureRounds } from '../harness/dispatch-rounds.ts'
import { spreadResults } from '../harness/report.ts'
import { bareSql } from '../peers/bare-sql.ts'
import { dbos } from '../peers/dbos.ts'
import { graphileWorker } from '../peers/graphile-worker.ts'
import { pgBoss } from '../peers/pg-boss.ts'

/** The peers alone: what this machine gives them, without us. */
export const bench: Bench = {
  targets: {},
  async measure(server, options) {
    const contenders = [graphileWorker, pgBoss, dbos, bareSql]
    const entries = Object.fromEntries(contenders.map((contender) => [contender.name, { contender, tenants: 1 }]))
    const samples = await measureRounds(server, entries, options)
    const results = Object.entries(samples).flatMap(([name, taken]) => [
      ...spreadResults(
        name,
        taken.map((sample) => sample.completed),
        'tasks/s',
      ),
      ...spreadResults(
        `${name} enqueue`,
        taken.map((sample) => sample.enqueued),
        'tasks/s',
      ),
    ])
    return { results, ratios: {} }
  },
}
