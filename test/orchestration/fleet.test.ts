import { setImmediate as breathe } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { isAppError } from '../../src/foundation/kernel/errors.ts'
import { type Random, seededRandom } from '../../src/foundation/kernel/random.ts'
import type { Assignment } from '../../src/orchestration/runners/exchange-contract.ts'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'
import { chance, leaf, oneOf, randomWorkflow } from '../support/random-workflow.ts'
import type { Answer, TestWorker } from '../support/worker.ts'

const seed = Number(process.env.LEANVIBE_FLEET_SEED ?? 20_261_123)
const runCount = Number(process.env.LEANVIBE_FLEET_RUNS ?? 30)

eachDatabase(
  'a fleet',
  (use) => {
    test(`whatever happens every run ends, and the books are right (seed ${seed})`, async () => {
      console.log(`fleet: LEANVIBE_FLEET_SEED=${seed} LEANVIBE_FLEET_RUNS=${runCount}`)
      const random = seededRandom(seed)
      const replicas = [0, 1].map(
        (n) => new TestPlatform(use(), { definitions: { leaf }, random: seededRandom(seed + 1 + n) }),
      )
      const advance = (ms: number) => {
        for (const replica of replicas) replica.advance(ms)
      }
      const [first, second] = replicas as [TestPlatform, TestPlatform]
      const workers = [
        await first.worker({ slots: 5, capabilities: ['gpu'] }),
        await second.worker({ slots: 3 }),
        await second.worker({ slots: 2, pool: 'other', capabilities: ['gpu'] }),
      ]
      const done = new AbortController()
      const started: string[] = []
      const open = () => use().owner<{ id: string; state: string }>('select id, state from runs where ended_at is null')

      /** The runners differ in speed: in how much of what they hold they finish at a time. */
      const labour = workers.map(async (worker, n) => {
        const own = seededRandom(seed + 10 + n)
        const pace = [0.9, 0.5, 0.25][n]!
        const cancelled = new Set<number>()
        while (!done.signal.aborted) {
          const finished = [...worker.held.values()].filter((lease) => cancelled.has(lease.fence) || chance(own, pace))
          const reports = finished.map((lease) => worker.report(lease, answerOf(own, lease, cancelled)))
          const twice = reports.filter(() => chance(own, 0.1))
          const progress = [...worker.held.values()]
            .filter(() => chance(own, 0.3))
            .map((lease) => worker.progressOf(lease))
          const reply = await forgiving(() =>
            worker.exchange([...reports, ...twice], { progress, reconcile: chance(own, 0.5) }),
          )
          for (const cancel of reply?.cancels ?? []) cancelled.add(cancel.fence)
          await breathe()
        }
      })

      const trouble = async (calm: boolean) => {
        const replica = oneOf(random, replicas)
        const { runs, reaper, approvals } = replica.parts
        const some = (await open()).map((run) => run.id)
        const run = some.length === 0 ? null : oneOf(random, some)
        const moves: (() => Promise<unknown>)[] = [
          async () => advance(1_000 + random.next() * 3_000),
          async () => advance(random.next() * 30_000),
          () => replica.fireTimers(),
          () => reaper.reap(),
          async () => {
            const [question] = await use().owner<{ id: string }>(
              "select id from approvals where state = 'pending' limit 1",
            )
            if (question === undefined) return
            await approvals.answer(tenant, question.id, oneOf(random, ['approve', 'reject'] as const), {
              by: 'me',
              comment: null,
            })
          },
          async () => run !== null && runs.resume(tenant, run),
        ]
        if (!calm) {
          moves.push(
            async () => run !== null && chance(random, 0.3) && runs.cancel(tenant, run, 'trouble'),
            async () => run !== null && runs.pause(tenant, run),
            async () => chance(random, 0.3) && reaper.giveUp([oneOf<TestWorker>(random, workers).runnerId]),
          )
        }
        await forgiving(oneOf(random, moves))
      }

      const deadline = performance.now() + 120_000
      while (started.length < runCount) {
        const text = randomWorkflow(random, `w${started.length}`)
        const run = await oneOf(random, replicas).start(text, chance(random, 0.2) ? { parallel: 2 } : {})
        started.push(run.id)
        for (let n = 0; n < 4; n++) await trouble(false)
      }
      // From here on nobody makes trouble, and what was paused goes on: now everything must come to its end.
      while ((await open()).length > 0 && performance.now() < deadline) await trouble(true)
      done.abort()
      await Promise.all(labour)
      const left = await open()
      if (left.length > 0) await explain(left.map((run) => run.id))
      for (const replica of replicas) await replica.check()
      const outcomes = await use().owner<{ state: string; n: number }>(
        'select state, count(*)::int as n from runs group by 1',
      )
      expect(outcomes.length).toBeGreaterThan(1)
      const [stats] = await use().owner<{ deadlocks: number }>(
        'select deadlocks::int from pg_stat_database where datname = current_database()',
      )
      console.log(`fleet: ${JSON.stringify(outcomes)}, ${stats!.deadlocks} deadlocks`)
    }, 180_000)

    /** Fails with what the runs that did not end were waiting for. */
    async function explain(ids: readonly string[]): Promise<void> {
      const rows = await use().owner(
        `select r.id, r.state, r.workflow, r.outcome, r.concurrency_key, s.step, s.state as step_state, s.open, t.state as task, t.reason, t.pool, t.lane, t.runner_id
         from runs r left join run_steps s on s.tenant_id = r.tenant_id and s.run_id = r.id and s.ended_at is null
         left join tasks t on t.tenant_id = r.tenant_id and t.run_id = r.id and t.step = s.step and t.ended_at is null
         where r.id = any ($1)`,
        [ids],
      )
      expect(rows).toEqual([])
    }
  },
  { kinds: ['postgres'] },
)

function answerOf(random: Random, lease: Assignment, cancelled: ReadonlySet<number>): Answer {
  if (cancelled.has(lease.fence) && chance(random, 0.8)) return { cancelled: true }
  if (chance(random, 0.12))
    return { code: oneOf(random, ['exit-code', 'signal', 'timeout', 'command-not-found']), exitCode: 1 }
  const passed = chance(random, 0.6)
  return {
    output: lease.spec.kind === 'gate' ? { checks: [{ name: 'c', passed }] } : {},
    wallSeconds: random.next() * 3,
  }
}

/** What a client is told to try later, or that does not apply any more, is part of life. */
async function forgiving<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act()
  } catch (error) {
    if (isAppError(error) && (error.retry === 'later' || error.code === 'illegal-transition')) return undefined
    throw error
  }
}
