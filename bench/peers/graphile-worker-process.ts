import { Logger, type Runner, run } from 'graphile-worker'
import pg from 'pg'
import { poolSize } from '../harness/contender.ts'
import { serveCalls, sharedClock } from '../harness/worker-process.ts'

const url = process.env.BENCH_DATABASE_URL!
const quiet = new Logger(() => () => {})
const probe = new pg.Client({ connectionString: url })
/** Local queue and batched completion pay at full load; at 50 tasks a second they only add waiting. */
const settings =
  process.env.BENCH_MODE === 'latency'
    ? { concurrentJobs: 8 }
    : { concurrentJobs: 500, completeJobBatchDelay: 2, localQueue: { size: 5_000 } }

let runner: Runner | undefined
let entered: { n: number; nanoseconds: number }[] = []

async function startRunner(onTask: (payload: unknown) => void): Promise<Runner> {
  return run({
    taskList: {
      noop: async (payload) => {
        onTask(payload)
      },
    },
    parsedCronItems: [],
    noHandleSignals: true,
    logger: quiet,
    preset: { worker: { connectionString: url, maxPoolSize: poolSize, pollInterval: 1_000, ...settings } },
  })
}

/** A completed job is deleted: the queue is empty when nothing is left. */
async function untilEmpty(): Promise<void> {
  for (;;) {
    const { rows } = await probe.query<{ left: boolean }>(
      'select exists (select from graphile_worker._private_jobs) as left',
    )
    if (!rows[0]!.left) return
  }
}

serveCalls({
  async start() {
    await probe.connect()
  },
  async drain(tasks: number) {
    let seen = 0
    const started = sharedClock()
    await new Promise<void>((resolve, reject) => {
      startRunner(() => {
        if (++seen === tasks) resolve()
      }).then((value) => {
        runner = value
      }, reject)
    })
    await untilEmpty()
    return Number(sharedClock() - started) / 1e9
  },
  /** Runs until `stop`, noting for each task how long it took from being added to being entered. */
  async watch() {
    runner = await startRunner((payload) => {
      const { n, addedAt } = payload as { n: number; addedAt: string }
      entered.push({ n, nanoseconds: Number(sharedClock() - BigInt(addedAt)) })
    })
  },
  async entered() {
    const taken = entered
    entered = []
    return taken
  },
  async stop() {
    await runner?.stop()
    await probe.end()
  },
})
