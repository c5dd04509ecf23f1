import { PgBoss } from 'pg-boss'
import { poolSize } from '../harness/contender.ts'
import { serveCalls, sharedClock } from '../harness/worker-process.ts'

const batchSize = 500
const loops = 6
const boss = new PgBoss({
  connectionString: process.env.BENCH_DATABASE_URL!,
  max: poolSize,
  supervise: false,
  schedule: false,
  migrate: false,
})
boss.on('error', (error) => console.error('pg-boss:', error))

async function loop(): Promise<number> {
  let done = 0
  for (;;) {
    const jobs = await boss.fetch('bench', { batchSize })
    if (jobs.length === 0) return done
    await boss.complete(
      'bench',
      jobs.map((job) => job.id),
      { ok: true },
    )
    done += jobs.length
  }
}

serveCalls({
  async start() {
    await boss.start()
  },
  async drain(tasks: number) {
    const started = sharedClock()
    const done = await Promise.all(Array.from({ length: loops }, loop))
    const seconds = Number(sharedClock() - started) / 1e9
    const total = done.reduce((sum, count) => sum + count, 0)
    if (total !== tasks) throw new Error(`pg-boss completed ${total} of ${tasks}`)
    return seconds
  },
  async stop() {
    await boss.stop({ graceful: false })
  },
})
