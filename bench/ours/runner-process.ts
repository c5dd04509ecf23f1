import { setTimeout as delay } from 'node:timers/promises'
import type { Entered } from '../harness/latency-contender.ts'
import { serveCalls, sharedClock } from '../harness/worker-process.ts'
import { createFunctionRunner } from './function-runner.ts'
import { countEnded, createBenchOrchestration, openBenchDatabase, tenantNames } from './platform.ts'

const database = await openBenchDatabase(process.env.BENCH_DATABASE_URL!, { migrate: false })
let onTask: (item: string) => void = () => {}
const runner = await createFunctionRunner({
  database,
  orchestration: createBenchOrchestration(database),
  tenants: tenantNames(Number(process.env.BENCH_TENANTS)),
  slots: Number(process.env.BENCH_SLOTS),
  capabilities: (process.env.BENCH_CAPABILITIES ?? '').split(',').filter((name) => name !== ''),
  perform: ({ spec }) => {
    onTask(spec.kind === 'command' ? spec.argv[1]! : '')
    return { ok: true }
  },
})
let entered: Entered[] = []

serveCalls({
  async start() {},
  /** The time until every completion is committed: the database is asked once the last task was entered. */
  async drain(tasks: number) {
    const before = await countEnded(database)
    let seen = 0
    const started = sharedClock()
    await new Promise<void>((resolve) => {
      onTask = () => {
        if (++seen === tasks) resolve()
      }
      runner.start()
    })
    while ((await countEnded(database)) < before + tasks) await delay(2)
    return Number(sharedClock() - started) / 1e9
  },
  /** Works until `stop`. */
  async work() {
    runner.start()
  },
  /** Works until `stop`, noting for each task how long it took from being added to being entered. */
  async watch() {
    onTask = (item) => {
      const { n, addedAt } = JSON.parse(item) as { n: number; addedAt: string }
      entered.push({ n, nanoseconds: Number(sharedClock() - BigInt(addedAt)) })
    }
    runner.start()
  },
  async entered() {
    const taken = entered
    entered = []
    return taken
  },
  async stop() {
    await runner.close()
    await database.close()
  },
})
