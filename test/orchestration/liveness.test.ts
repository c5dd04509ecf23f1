import { expect, test } from 'vitest'
import { agentLimitsOf, runControlOf } from '../../src/app/operations.ts'
import { type RunId, systemIds, type TaskId } from '../../src/foundation/kernel/ids.ts'
import { LivenessJob } from '../../src/orchestration/liveness/liveness-jobs.ts'
import { LivenessService } from '../../src/orchestration/liveness/liveness-service.ts'
import { OutputWatch } from '../../src/orchestration/liveness/output-watch.ts'
import { noLogs } from '../../src/orchestration/runners/log-sink.ts'
import * as figures from '../../src/orchestration/runs/liveness-figures.ts'
import { eachDatabase, type TestDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'

const one = 'name: one\nsteps:\n  a: { command: [a] }\n'
const telling = `name: telling
steps:
  a: { command: [a], outputs: { word: stdout } }
outputs: { word: '\${{ steps.a.outputs.word }}' }
`
const stubborn = `name: stubborn
steps:
  a: { command: [a], retry: { attempts: 50, backoff: { initial: 1s, factor: 1, max: 1s } } }
`
const wide = (count: number) =>
  `name: wide\nsteps:\n  each:\n    map: { over: [${Array.from({ length: count }, (_, n) => n).join(', ')}], step: { command: [a] } }\n`
const minute = 60_000

/** A platform with detectors whose looks are made by hand, far enough apart that each is a full one. */
function place(use: TestDatabase) {
  const platform = new TestPlatform(use)
  const { database, parts } = platform
  const output = new OutputWatch()
  const limits = agentLimitsOf(parts)
  const service = new LivenessService({
    database,
    ids: systemIds,
    control: runControlOf(parts),
    limits,
    dispatch: parts.dispatch,
  })
  const onError = (error: unknown) => platform.errors.push(error)
  const job = new LivenessJob(database, { service, figures, limits, output, onError })
  return {
    platform,
    service,
    output,
    async look() {
      platform.advance(11_000)
      await job.look()
    },
    findings: () => service.list(tenant, { before: null, limit: 100 }),
    set: (detector: Parameters<typeof service.setPolicy>[1], change: Parameters<typeof service.setPolicy>[2]) =>
      service.setPolicy(tenant, detector, change),
  }
}

eachDatabase('liveness', (use) => {
  test('a task without progress: its run is paused and asked about; it goes on when somebody says so', async () => {
    const { platform, look, findings, service } = place(use())
    await platform.register()
    const run = await platform.start(wide(3))
    const leases = await platform.main.take()
    platform.advance(29 * minute)
    await platform.main.exchange([], { progress: leases.slice(1).map((lease) => platform.main.progressOf(lease)) })
    await look()
    expect(await findings()).toEqual([])
    platform.advance(1 * minute)
    await look()
    const [finding, ...others] = await findings()
    expect(others).toEqual([])
    expect(finding).toMatchObject({
      detector: 'no_progress',
      state: 'open',
      subject: { kind: 'task', id: leases[0]!.taskId },
      runs: [run.id],
      explanation: expect.stringContaining('no progress for 30m'),
    })
    expect((await platform.run(run.id)).state).toBe('paused')
    await look()
    expect(await findings()).toHaveLength(1)
    expect(await service.answer(tenant, finding!.id, 'continue', 'ann')).toMatchObject({
      state: 'continued',
      answeredBy: 'ann',
    })
    expect((await platform.run(run.id)).state).toBe('running')
    await look()
    expect(await findings()).toHaveLength(1)
    await expect(service.answer(tenant, finding!.id, 'cancel', 'ann')).rejects.toMatchObject({
      code: 'finding-answered',
    })
    await expect(service.answer(tenant, 'fnd_x', 'cancel', 'ann')).rejects.toMatchObject({ code: 'finding-not-found' })
    await platform.check()
  })

  test('a task that moves again, or ends, lets its run go on by itself', async () => {
    const { platform, look, findings, set } = place(use())
    await platform.register()
    await set('no_progress', { afterMs: minute })
    const run = await platform.start(wide(2))
    const leases = await platform.main.take()
    platform.advance(2 * minute)
    await look()
    expect((await findings()).map((one) => one.state)).toEqual(['open', 'open'])
    expect((await platform.run(run.id)).state).toBe('paused')
    platform.advance(10_000)
    await platform.main.exchange([platform.main.report(leases[0]!, { output: {} })], {
      progress: [platform.main.progressOf(leases[1]!)],
    })
    await look()
    expect((await findings()).map((one) => one.answeredBy)).toEqual(['progress', 'progress'])
    expect((await platform.run(run.id)).state).toBe('running')
    await platform.check()
  })

  test('nobody answers: the default is given at the deadline', async () => {
    const { platform, look, findings, set } = place(use())
    await platform.register()
    await set('no_progress', { afterMs: minute, deadlineMs: 5 * minute, default: 'cancel' })
    const run = await platform.start(one)
    await platform.main.take()
    platform.advance(2 * minute)
    await look()
    expect((await findings())[0]).toMatchObject({ state: 'open' })
    platform.advance(6 * minute)
    await look()
    expect((await findings())[0]).toMatchObject({ state: 'cancelled', answeredBy: 'deadline' })
    await platform.main.finish(await platform.main.take(), () => ({ cancelled: true }))
    expect((await platform.run(run.id)).state).toBe('cancelled')
  })

  test('attempts that end alike, or in turn, and a policy that acts', async () => {
    const { platform, look, findings, set } = place(use())
    await platform.register()
    await set('repeated_outputs', { times: 4, action: 'act' })
    await set('oscillation', { cycles: 2, action: 'note' })
    const attempt = async (code: string) => {
      await platform.main.finish(await platform.main.take(), () => ({ code, retry: 'later' }))
      platform.advance(2_000)
      await platform.fireTimers()
    }
    const run = await platform.start(stubborn)
    for (const code of ['left', 'right', 'left', 'right']) await attempt(code)
    await look()
    expect(await findings()).toMatchObject([
      { detector: 'oscillation', state: 'noted', explanation: expect.stringContaining('back and forth 2 times') },
    ])
    expect((await platform.run(run.id)).state).toBe('running')
    for (let n = 0; n < 3; n++) await attempt('same')
    await look()
    expect(await findings()).toHaveLength(1)
    await attempt('same')
    await look()
    expect((await findings())[0]).toMatchObject({ detector: 'repeated_outputs', state: 'acted', runs: [run.id] })
    await platform.main.finish(await platform.main.take(), () => ({ cancelled: true }))
    expect((await platform.run(run.id)).state).toBe('cancelled')
    await platform.check()
  })

  test('runs that end alike again and again, and runs that are started again and again', async () => {
    const { platform, look, findings, set, service } = place(use())
    await platform.register()
    await set('repeated_outputs', { times: 3 })
    await set('respawn_loop', { times: 6 })
    const go = async (word: string) => {
      const run = await platform.start(telling)
      await platform.work(run.id, () => ({ output: { word } }))
    }
    for (const word of ['a', 'b', 'b']) await go(word)
    await look()
    expect(await findings()).toMatchObject([])
    const open = await platform.start(telling)
    await go('b')
    await look()
    const [finding] = await findings()
    expect(finding).toMatchObject({ detector: 'repeated_outputs', state: 'open', runs: [], subject: { kind: 'runs' } })
    expect((await platform.run(open.id)).state).toBe('succeeded')
    const next = await platform.start(telling)
    await look()
    expect((await platform.run(next.id)).state).toBe('paused')
    const longer = (await findings()).find((one) => one.id === finding!.id)
    expect(longer).toMatchObject({ runs: [next.id], explanation: expect.stringContaining(next.id) })
    await service.answer(tenant, finding!.id, 'cancel', 'ann')
    await platform.main.finish(await platform.main.take(), () => ({ cancelled: true }))
    expect((await platform.run(next.id)).state).toBe('cancelled')
    await go('c')
    await look()
    expect((await findings())[0]).toMatchObject({
      detector: 'respawn_loop',
      explanation: expect.stringMatching(/telling was started \d+ times/),
    })
  })

  test('a schedule that starts the same again and again is paused with its runs', async () => {
    const { platform, look, findings, set } = place(use())
    await platform.register()
    await set('respawn_loop', { times: 3 })
    await use().owner(`insert into schedules (tenant_id, name, workflow, cron, time_zone, catch_up, catch_up_window_ms, overlap,
      jitter_ms, last_slot_at, due_at, created_at)
      values ('default', 'often', 'one', '* * * * *', 'UTC', 'skip', 0, 'allow', 0, now(), now(), now())`)
    for (let n = 0; n < 3; n++) await platform.start(one)
    await use().owner(`update runs set labels = '{"schedule": "often"}'`)
    await look()
    const [finding, ...others] = await findings()
    expect(others).toEqual([])
    expect(finding).toMatchObject({ detector: 'respawn_loop', state: 'open', runs: { length: 3 } })
    expect(finding!.explanation).toContain('and the schedules often; it waits for an answer')
    const [schedule] = await use().owner(`select state, due_at, rev from schedules`)
    expect(schedule).toEqual({ state: 'paused', due_at: null, rev: 2 })
    await platform.check()
  })

  test('a fan-out is held back at the lease, is told, and goes on by itself as others end', async () => {
    const { platform, look, findings, set } = place(use())
    await platform.register(20)
    await set('runaway_fan_out', { maxParallelAgents: 8 })
    const run = await platform.start(wide(30))
    expect(await platform.main.take()).toHaveLength(8)
    const waiting = (await platform.tasks(run.id)).filter((task) => task.state === 'waiting')
    expect(new Set(waiting.map((task) => task.reason))).toEqual(new Set([`budget:tenant:${tenant}:agents`]))
    await look()
    expect((await findings())[0]).toMatchObject({
      detector: 'runaway_fan_out',
      state: 'open',
      runs: [],
      explanation: expect.stringMatching(
        /^8 tasks are at work at a time, and maxParallelAgents is 8; \d+ more wait until others end/,
      ),
    })
    expect((await platform.run(run.id)).state).toBe('running')
    await platform.check()
    const ended = await platform.work(run.id, () => ({ output: {} }))
    expect(ended.state).toBe('succeeded')
    await look()
    expect((await findings())[0]).toMatchObject({ state: 'continued', answeredBy: 'room' })
    await platform.check()
  })

  test('a fan-out that somebody is to be asked about: the youngest runs stop, and go on at the answer', async () => {
    const { platform, look, findings, set, service } = place(use())
    await platform.register(20)
    await set('runaway_fan_out', { maxParallelAgents: 8, action: 'ask' })
    const old = await platform.start(wide(6))
    platform.advance(1_000)
    const young = await platform.start(wide(30))
    expect(await platform.main.take()).toHaveLength(8)
    await look()
    const [finding] = await findings()
    expect(finding).toMatchObject({ detector: 'runaway_fan_out', state: 'open', runs: [young.id] })
    expect((await platform.run(young.id)).state).toBe('paused')
    expect((await platform.run(old.id)).state).toBe('running')
    await platform.main.finish([...platform.main.held.values()], () => ({ output: {} }))
    expect(await platform.main.take()).toEqual([])
    await service.answer(tenant, finding!.id, 'continue', 'ann')
    expect((await platform.work(young.id, () => ({ output: {} }))).state).toBe('succeeded')
    await platform.check()
  })

  test('a fan-out that is only to be told is not held back', async () => {
    const { platform, look, findings, set } = place(use())
    await platform.register(20)
    await set('runaway_fan_out', { maxParallelAgents: 8, action: 'note' })
    await platform.start(wide(12))
    expect(await platform.main.take()).toHaveLength(12)
    await look()
    expect((await findings())[0]).toMatchObject({
      state: 'noted',
      explanation: expect.stringContaining('it is only told'),
    })
    await platform.check()
  })

  test('an attempt that prints the same line for ever', async () => {
    const { platform, look, findings, output, set } = place(use())
    await platform.register()
    await set('repeated_outputs', { lines: 50 })
    const run = await platform.start(one)
    const [lease] = await platform.main.take()
    const sink = output.listenTo(noLogs)
    const base = {
      ...lease!,
      runId: run.id as RunId,
      taskId: lease!.taskId as TaskId,
      stream: 'stdout' as const,
      at: '',
    }
    await sink.append([{ ...base, seq: 0, bytes: Buffer.from('retrying\n'.repeat(60)) }])
    await look()
    expect((await findings())[0]).toMatchObject({
      detector: 'repeated_outputs',
      explanation: expect.stringContaining('a printed the same line 60 times: retrying'),
      runs: [run.id],
    })
    expect((await platform.run(run.id)).state).toBe('paused')
  })

  test('what policies cannot say is refused, and a detector that is off is silent', async () => {
    const { platform, look, findings, set, service } = place(use())
    await platform.register()
    await expect(set('no_progress', { action: 'shout' })).rejects.toMatchObject({ code: 'invalid-input' })
    await expect(set('no_progress', { after: minute })).rejects.toMatchObject({ code: 'invalid-input' })
    await set('no_progress', { enabled: false, afterMs: minute })
    await platform.start(one)
    await platform.main.take()
    platform.advance(10 * minute)
    await look()
    expect(await findings()).toEqual([])
    expect((await service.policy(tenant)).no_progress).toMatchObject({ enabled: false, afterMs: minute, action: 'ask' })
  })
})
