import { afterEach, beforeEach, expect, it } from 'vitest'
import { eachDatabase } from '../../../test/support/databases.ts'
import { TestPlatform, tenant } from '../../../test/support/platform.ts'
import type { Loop } from '../../foundation/runtime/loop.ts'
import { startTimers } from '../../foundation/runtime/timers.ts'
import type { Assignment, AttemptReport, ExchangePort } from './exchange-contract.ts'
import type { HostedAgent } from './hosted-agent.ts'
import { RunnerKit } from './runner-kit.fixture.ts'

eachDatabase('the runner and the real coordinator', (use) => {
  let kit: RunnerKit
  let platform: TestPlatform
  let timers: Loop

  beforeEach(() => {
    kit = new RunnerKit({ TOKEN: 'the-token-value' })
    platform = new TestPlatform(use().db)
    timers = startTimers(use().db, {
      handlers: platform.parts.timers,
      pollMs: 20,
      onError: (error) => platform.errors.push(error),
    })
  })
  afterEach(async () => {
    await timers.stop()
    await kit.close()
    expect(kit.errors).toEqual([])
    expect(platform.errors).toEqual([])
  })

  /** Registers the agents and starts a runner with them, on the exchange of the platform, or on one in between. */
  async function begin(agents: readonly HostedAgent[], port: ExchangePort = platform.parts.exchange) {
    const registrations = agents.map((agent) => ({
      ...agent.registration,
      pool: 'default',
      agentId: `${platform.runnerId}.${agent.registration.agentId}` as never,
    }))
    const { db } = use()
    await db
      .asSystem('test')
      .write((tx) =>
        platform.parts.runners.register(
          tx,
          { runnerId: platform.runnerId, host: 'here', pid: process.pid, agents: registrations },
          db.clock.now(),
        ),
      )
    const hosted = agents.map((agent, index) => ({ ...agent, registration: registrations[index]! }))
    return kit.runner(port, hosted, { id: platform.runnerId, clock: db.clock, pollMs: 200 })
  }

  async function ended(runId: string) {
    await expect.poll(async () => (await platform.run(runId)).endedAt, { timeout: 20_000 }).not.toBe(null)
    return platform.run(runId)
  }

  it('takes a workflow of commands from start to end', async () => {
    await begin([kit.commandAgent()])
    const run = await platform.start(`
name: chain
inputs:
  who: { default: world }
steps:
  hello:
    command: [printf, '{"text":"hello %s"}', '\${{ inputs.who }}']
    outputs: { said: { from: json, select: text } }
  each:
    needs: hello
    map:
      over: [a, b, c]
      step:
        script: 'echo "$ITEM: $SAID"'
        env: { ITEM: '\${{ item }}', SAID: '\${{ steps.hello.outputs.said }}' }
        outputs: { line: stdout }
  flaky:
    script: 'echo again >&2; exit 9'
    retry: { attempts: 2, backoff: { initial: 100ms } }
    allowFailure: true
  last:
    needs: [each, flaky]
    script: 'echo "$LINES"'
    env: { LINES: '\${{ steps.each.outputs.line }}' }
    outputs: { all: stdout }
outputs:
  all: '\${{ steps.last.outputs.all }}'
`)
    const done = await ended(run.id)
    expect(done).toMatchObject({
      state: 'succeeded',
      outputs: { all: '["a: hello world","b: hello world","c: hello world"]' },
    })
    const attempts = await use().owner<{ step: string; attempt: number }>(
      `select t.step, t.attempt from tasks t where t.run_id = $1 order by t.step, t.item`,
      [run.id],
    )
    expect(attempts.find((row) => row.step === 'flaky')?.attempt).toBe(2)
  })

  it('stops the processes of a run that is cancelled', async () => {
    const runner = await begin([kit.commandAgent()])
    const run = await platform.start(`
name: endless
steps:
  wait: { script: 'echo up; sleep 1000' }
`)
    await expect.poll(() => kit.logs.chunks.length, { timeout: 10_000 }).toBeGreaterThan(0)
    await platform.parts.runs.cancel(tenant, run.id, 'enough')
    expect(await ended(run.id)).toMatchObject({ state: 'cancelled' })
    await expect.poll(() => runner.active).toBe(0)
  })

  it('does no lease twice and loses no result, though answers get lost', async () => {
    const done = new Map<number, number>()
    const agent = kit.functionAgent(
      {
        count: ({ fence, item }: Assignment) => {
          done.set(fence, (done.get(fence) ?? 0) + 1)
          return { item }
        },
      },
      8,
    )
    const real = platform.parts.exchange
    const reported: AttemptReport[] = []
    const losing = new Set([2, 5, 6, 9])
    let calls = 0
    await begin([agent], {
      onHint: (id, wake) => real.onHint(id, wake),
      async exchange(request, signal) {
        const reply = await real.exchange(request, signal)
        reported.push(...request.reports)
        calls += 1
        if (losing.has(calls)) throw new Error('the answer was lost')
        return reply
      },
    })
    const run = await platform.start(`
name: many
steps:
  all:
    map:
      over: [${Array.from({ length: 60 }, (_, index) => index).join(', ')}]
      step: { command: [count], outputs: { item: { from: json, select: item } } }
outputs:
  items: '\${{ steps.all.outputs.item }}'
`)
    const end = await ended(run.id)
    expect(end).toMatchObject({
      state: 'succeeded',
      outputs: { items: Array.from({ length: 60 }, (_, index) => index) },
    })
    expect([...done.values()].every((count) => count === 1)).toBe(true)
    expect(new Set(reported.map((report) => report.fence)).size).toBe(60)
    kit.errors.length = 0
  })
})
