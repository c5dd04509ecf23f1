import { serveCalls } from '../harness/worker-process.ts'
import { createBenchOrchestration, openBenchDatabase, tenantNames } from './platform.ts'
import { drainTrivially, registerTrivialRunners } from './trivial-runner.ts'

const database = await openBenchDatabase(process.env.BENCH_DATABASE_URL!, { migrate: false })
const options = {
  database,
  orchestration: createBenchOrchestration(database),
  tenants: tenantNames(Number(process.env.BENCH_TENANTS)),
  runners: 2,
  slots: 500,
}
const runnerIds = await registerTrivialRunners(options)

serveCalls({
  async start() {},
  drain: (tasks: number) => drainTrivially(options, runnerIds, tasks),
  async stop() {
    await database.close()
  },
})
