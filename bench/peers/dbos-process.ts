import { DBOS } from '@dbos-inc/dbos-sdk'
import pg from 'pg'
import { poolSize } from '../harness/contender.ts'
import { serveCalls } from '../harness/worker-process.ts'

const url = process.env.BENCH_DATABASE_URL!
const probe = new pg.Client({ connectionString: url })

DBOS.setConfig({
  name: 'bench',
  systemDatabaseUrl: url,
  systemDatabasePoolSize: poolSize,
  applicationVersion: 'bench',
  logLevel: 'error',
})

DBOS.registerWorkflow(async (n: number) => DBOS.runStep(async () => ({ ok: true, n }), { name: 'noop' }), {
  name: 'oneStep',
})

serveCalls({
  async start() {
    await DBOS.launch()
    await probe.connect()
  },
  /**
   * Registering the queue makes DBOS take from it, up to a second later; therefore the time runs from the first
   * workflow's start to the last one's end, as DBOS recorded them.
   */
  async drain(tasks: number) {
    await DBOS.registerQueue('bench', { minPollingIntervalMs: 10, workerConcurrency: 100 })
    for (;;) {
      const { rows } = await probe.query<{ count: number; ms: string }>(
        `select count(*)::int as count, max(updated_at) - min(started_at_epoch_ms) as ms
         from dbos.workflow_status where queue_name = 'bench' and status = 'SUCCESS'`,
      )
      if (rows[0]!.count >= tasks) return Number(rows[0]!.ms) / 1_000
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  },
  async stop() {
    await probe.end()
    await DBOS.shutdown()
  },
})
