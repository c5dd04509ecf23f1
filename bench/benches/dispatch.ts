import type { Bench } from '../harness/bench.ts'
import { measureRounds } from '../harness/dispatch-rounds.ts'
import { spreadResults } from '../harness/report.ts'
import { median } from '../harness/statistics.ts'
import { oursEmbedded, oursOnPostgres } from '../ours/contenders.ts'
import { bareSql } from '../peers/bare-sql.ts'
import { dbos } from '../peers/dbos.ts'
import { graphileWorker } from '../peers/graphile-worker.ts'
import { pgBoss } from '../peers/pg-boss.ts'

const entries = {
  leanvibe: { contender: oursOnPostgres, tenants: 1 },
  'leanvibe, 8 tenants': { contender: oursOnPostgres, tenants: 8 },
  'leanvibe, PGlite': { contender: oursEmbedded, tenants: 1 },
  'graphile-worker': { contender: graphileWorker, tenants: 1 },
  'pg-boss': { contender: pgBoss, tenants: 1 },
  dbos: { contender: dbos, tenants: 1 },
  'bare SQL': { contender: bareSql, tenants: 1 },
} as const

/** How many trivial tasks a second go through their whole durable life, beside what others do and what the database could. */
export const bench: Bench = {
  targets: {
    vs_best_queue: ['>=', 0.7],
    vs_dbos: ['>=', 10],
    vs_bare_sql: ['>=', 0.3],
    pglite_vs_postgres: ['>=', 0.2],
  },
  async measure(server, options) {
    const samples = await measureRounds(server, entries, options)
    const rate = (name: keyof typeof entries) => median(samples[name].map((sample) => sample.completed))
    const bestQueue = Math.max(rate('graphile-worker'), rate('pg-boss'))
    return {
      results: Object.entries(samples).flatMap(([name, taken]) => [
        ...spreadResults(
          name,
          taken.map((sample) => sample.completed),
          'tasks/s',
        ),
        ...spreadResults(
          `${name}: enqueue`,
          taken.map((sample) => sample.enqueued),
          'tasks/s',
        ),
      ]),
      ratios: {
        vs_best_queue: rate('leanvibe') / bestQueue,
        vs_best_queue_8_tenants: rate('leanvibe, 8 tenants') / bestQueue,
        vs_dbos: rate('leanvibe') / rate('dbos'),
        vs_bare_sql: rate('leanvibe') / rate('bare SQL'),
        pglite_vs_postgres: rate('leanvibe, PGlite') / rate('leanvibe'),
      },
    }
  },
}
