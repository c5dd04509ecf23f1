import { expect, test } from 'vitest'
import { agentLimitsOf, runControlOf } from '../../src/app/operations.ts'
import { type RunId, systemIds, type TaskId } from '../../src/foundation/kernel/ids.ts'
import { LivenessJob } from '../../src/orchestration/liveness/liveness-jobs.ts'
import { LivenessService } from '../../src/orchestration/liveness/liveness-service.ts'
import { OutputWatch } from '../../src/orchestration/liveness/output-watch.ts'
import { noLogs } from '../../src/orchestration/runners/log-sink.ts'
import * as figures from '../../src/orchestration/runs/liveness-figures.ts'
import { eachDatabase, type TestDatabase } from '../support/databases.ts'
import { TestPlatform, type TestPlatformOptions, tenant } from '../support/platform.ts'

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
function place(use: TestDatabase, options: TestPlatformOptions = {}) {
  const platform = new TestPlatform(use, options)
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
    // Nothing is at work any more, and nothing begins.
    expect((await platform.tasks(run.id)).map(({ state, reason }) => `${state} ${reason}`)).toEqual(
      Array.from({ length: 3 }, () => `waiting paused:${run.id}`),
    )
    const { revoked } = await platform.exchange([], leases)
    expect(revoked.map((held) => held.fence).sort()).toEqual(leases.map((lease) => lease.fence).sort())
    expect(await platform.main.take()).toEqual([])
    await platform.exchange([platform.report(leases[1]!, { output: 'late' })])
    await platform.check()
    await look()
    expect(await findings()).toHaveLength(1)
    expect(await service.answer(tenant, finding!.id, 'continue', 'ann')).toMatchObject({
      state: 'continued',
      answeredBy: 'ann',
    })
    expect((await platform.run(run.id)).state).toBe('running')
    await look()
    expect(await findings()).toHaveLength(1)
    const again = await platform.main.take()
    expect(again.map((lease) => lease.attempt)).toEqual([2, 2, 2])
    // It is asked about again when it falls silent again.
    platform.advance(31 * minute)
    await look()
    const [second] = await findings()
    expect(second).toMatchObject({ detector: 'no_progress', state: 'open' })
    await service.answer(tenant, second!.id, 'continue', 'ann')
    expect((await platform.work(run.id, () => ({ output: {} }))).state).toBe('succeeded')
    await expect(service.answer(tenant, finding!.id, 'cancel', 'ann')).rejects.toMatchObject({
      code: 'finding-answered',
    })
    await expect(service.answer(tenant, 'fnd_x', 'cancel', 'ann')).rejects.toMatchObject({ code: 'finding-not-found' })
    await platform.check()
  })

  test('who lets a paused run go on by hand has answered', async () => {
    const { platform, look, findings, set } = place(use())
    await platform.register()
    await set('no_progress', { afterMs: minute, deadlineMs: 5 * minute, default: 'cancel' })
    const run = await platform.start(wide(2))
    await platform.main.take()
    platform.advance(2 * minute)
    await look()
    // Both tasks were silent; both stop with the run, and one question is enough.
    expect((await findings()).map((one) => one.state)).toEqual(['open'])
    expect((await platform.run(run.id)).state).toBe('paused')
    await platform.parts.runs.resume(tenant, run.id)
    await look()
    expect((await findings()).map((one) => one.answeredBy)).toEqual(['steering'])
    platform.advance(6 * minute)
    expect((await platform.work(run.id, () => ({ output: {} }))).state).toBe('succeeded')
    await look()
    expect((await findings()).map((one) => one.state)).toEqual(['continued'])
    await platform.check()
  })

  test('a run that somebody had paused stops for good, and one that ends needs no answer', async () => {
    const { platform, look, findings, set } = place(use())
    await platform.register()
    await set('no_progress', { afterMs: minute })
    const run = await platform.start(wide(2))
    const leases = await platform.main.take()
    await platform.parts.runs.pause(tenant, run.id)
    await platform.exchange([platform.report(leases[0]!, { output: {} })], [leases[1]!])
    platform.advance(2 * minute)
    await look()
    expect((await findings())[0]).toMatchObject({ state: 'open', runs: [run.id] })
    expect((await platform.tasks(run.id)).map((task) => task.state).sort()).toEqual(['succeeded', 'waiting'])
    await platform.parts.runs.cancel(tenant, run.id, 'enough')
    expect((await platform.run(run.id)).state).toBe('cancelled')
    await look()
    expect((await findings())[0]).toMatchObject({ state: 'continued', answeredBy: 'steering' })
    await platform.check()
  })

  test('a pause is no failure: it uses up no retry, and stops the runs that are waited for', async () => {
    const calling = 'name: calling\nsteps:\n  sub: { workflow: inner }\n'
    const inner = 'name: inner\nsteps:\n  a: { command: [a], retry: { attempts: 2, backoff: { initial: 1s } } }\n'
    const { platform, look, findings, set, service } = place(use(), { definitions: { inner } })
    await platform.register()
    await set('no_progress', { afterMs: minute })
    await set('repeated_outputs', { times: 2, action: 'act' })
    const run = await platform.start(calling)
    for (let n = 0; n < 3; n++) {
      expect(await platform.main.take()).toHaveLength(1)
      platform.advance(2 * minute)
      await look()
      const [finding] = await findings()
      expect(finding).toMatchObject({ detector: 'no_progress', state: 'open' })
      expect(await platform.main.take()).toEqual([])
      expect((await platform.run(finding!.runs[0]!)).state).toBe('paused')
      await service.answer(tenant, finding!.id, 'continue', 'ann')
    }
    await platform.main.finish(await platform.main.take(), () => ({ code: 'x', retry: 'later' }))
    platform.advance(5_000)
    await platform.fireTimers()
    await look()
    expect((await platform.work(run.id, () => ({ output: {} }))).state).toBe('succeeded')
    expect((await findings()).every((one) => one.detector === 'no_progress')).toBe(true)
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
    // Nothing was at work: it ends with the answer.
    expect((await platform.run(run.id)).state).toBe('cancelled')
    await platform.check()
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
    expect((await platform.tasks(young.id)).every((task) => task.state === 'waiting')).toBe(true)
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
