import { expect, test } from 'vitest'
import { eachDatabase } from '../support/databases.ts'
import { TestPlatform, tenant } from '../support/platform.ts'

const asking = `
name: ask
steps:
  ask: { approval: { message: "go?", deadline: 1h, default: approve, who: [ann, leads] } }
  go: { needs: ask, command: [go, "\${{ steps.ask.outputs.decision }} by \${{ steps.ask.outputs.by }}"] }
  other: { command: [other] }
`

const gate = (onFail: string, more = '') => `
name: gated
inputs: { ok: { type: boolean, default: false } }
steps:
  quality:
    gate:
      onFail: ${onFail}
      ${more}
      checks:
        - { name: tests, command: [npm, test] }
        - { name: small, condition: inputs.ok }
  after:
    needs: quality
    command: ["\${{ steps.quality.outputs.verdict }}", "\${{ steps.quality.outputs.failed }}", "\${{ steps.quality.outputs.by }}", "\${{ steps.quality.outputs.comment }}"]
finally:
  note: { command: [note, "\${{ steps.quality.outputs.verdict }}", "\${{ steps.quality.outputs.by }}"] }
`

eachDatabase('approvals and gates', (use) => {
  const approvals = () =>
    use().owner<{ id: string; state: string; answered_by: string | null }>(
      'select id, state, answered_by from approvals',
    )
  const answer = async (platform: TestPlatform, decision: 'approve' | 'reject', by = 'ann', roles: string[] = []) => {
    const [approval] = await approvals()
    return platform.parts.approvals.answer(tenant, approval!.id, decision, { by, roles, comment: 'looked at it' })
  }

  test('only those who are named may answer, by name or by role, and once', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(asking)
    await expect(answer(platform, 'approve', 'bob')).rejects.toMatchObject({ code: 'approval-not-yours' })
    const given = await answer(platform, 'approve', 'bob', ['leads'])
    expect(given).toMatchObject({ state: 'approved', answeredBy: 'bob', comment: 'looked at it' })
    await expect(answer(platform, 'reject')).rejects.toMatchObject({ code: 'illegal-transition' })
    const argv: unknown[] = []
    const ended = await platform.work(run.id, (lease) => {
      if (lease.spec.kind === 'command') argv.push(lease.spec.argv.join(' '))
      return { output: {} }
    })
    expect(ended.state).toBe('succeeded')
    expect(argv.sort()).toEqual(['go approve by bob', 'other'])
    expect(await use().owner('select id from timers')).toEqual([])
    await platform.check()
  })

  test('two answers at once: one counts, the other is told', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    await platform.start(asking)
    const results = await Promise.allSettled([answer(platform, 'approve'), answer(platform, 'reject')])
    expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected'])
    await platform.check()
  })

  test('a rejection fails the step and says who and why', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(asking)
    await answer(platform, 'reject')
    const ended = await platform.work(run.id, () => ({ output: {} }))
    expect(ended).toMatchObject({
      state: 'failed',
      error: { code: 'rejected', message: 'step ask: ann rejected it: looked at it' },
    })
    expect(await platform.steps(run.id)).toEqual({ ask: 'failed', go: 'skipped', other: 'succeeded' })
    await platform.check()
  })

  test.each([
    ['default: approve', 'succeeded', null],
    ['default: reject', 'failed', 'approval-expired'],
    ['', 'failed', 'approval-expired'],
  ])('at the deadline "%s" decides: the run has %s', async (policy, state, code) => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(`name: d\nsteps:\n  ask: { approval: { message: m, deadline: 1h, ${policy} } }\n`)
    platform.advance(3_599_000)
    await platform.fireTimers()
    expect((await platform.run(run.id)).state).toBe('waiting')
    platform.advance(2_000)
    await platform.fireTimers()
    const ended = await platform.run(run.id)
    expect([ended.state, ended.error?.code ?? null]).toEqual([state, code])
    expect(await approvals()).toMatchObject([{ state: 'expired', answered_by: 'deadline' }])
    await expect(answer(platform, 'approve')).rejects.toMatchObject({ code: 'illegal-transition' })
    await platform.check()
  })

  test('a timeout of the step, or a cancelled run, closes the question', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const timed = await platform.start(
      'name: t\nsteps:\n  ask: { approval: { message: m, deadline: 1d }, timeout: 1m }\n',
    )
    platform.advance(61_000)
    await platform.fireTimers()
    expect(await platform.run(timed.id)).toMatchObject({ state: 'failed', error: { code: 'timeout' } })
    const run = await platform.start(asking)
    await platform.parts.runs.cancel(tenant, run.id, 'not needed')
    await platform.work(run.id, () => ({ output: {} }))
    expect((await approvals()).map((row) => row.state)).toEqual(['withdrawn', 'withdrawn'])
    await platform.check()
  })

  async function through(onFail: string, options: { tests: boolean; ok: boolean; decide?: 'approve' | 'reject' }) {
    const platform = new TestPlatform(use())
    const worker = await platform.register()
    const run = await platform.start(gate(onFail), { inputs: { ok: options.ok } })
    const argv: Record<string, readonly string[]> = {}
    const reply = (lease: Parameters<typeof worker.report>[0]) => {
      if (lease.spec.kind === 'command') argv[lease.step] = lease.spec.argv
      return { output: lease.spec.kind === 'gate' ? { checks: [{ name: 'tests', passed: options.tests }] } : {} }
    }
    await platform.work(run.id, reply)
    if (options.decide !== undefined) {
      expect((await platform.run(run.id)).state).toBe('waiting')
      await platform.check()
      await answer(platform, options.decide)
    }
    const ended = await platform.work(run.id, reply)
    await platform.check()
    return { state: ended.state, error: ended.error, argv }
  }

  test.each([
    ['block', { tests: true, ok: true }, 'succeeded', ['pass', '', '', '']],
    ['allow', { tests: false, ok: false }, 'succeeded', ['pass', 'tests, small', '', '']],
    ['review', { tests: false, ok: true, decide: 'approve' }, 'succeeded', ['review', 'tests', 'ann', 'looked at it']],
  ] as const)('a gate with onFail %s and %j: %s, and the outputs tell', async (onFail, options, state, outputs) => {
    const result = await through(onFail, options)
    expect(result.state).toBe(state)
    expect(result.argv.after).toEqual(outputs)
    expect(result.argv.note).toEqual(['note', outputs[0], outputs[2]])
  })

  test('a gate that blocks, and one that somebody closes, fail the step; finally steps can read why', async () => {
    const blocked = await through('block', { tests: true, ok: false })
    expect(blocked).toMatchObject({
      state: 'failed',
      error: { code: 'gate-blocked', message: 'step quality: the gate is closed: small' },
    })
    expect(blocked.argv.note).toEqual(['note', 'block', ''])
    await use().reset()
    const rejected = await through('review', { tests: false, ok: false, decide: 'reject' })
    expect(rejected).toMatchObject({ state: 'failed', error: { code: 'rejected' } })
    expect(rejected.argv.note).toEqual(['note', 'review', 'ann'])
  })

  test('a gate of conditions alone is judged at once; a review not decided in time blocks', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(`
name: conditions
steps:
  low: { gate: { checks: [{ name: risk, condition: 1 > 2 }], onFail: review, deadline: 5m } }
`)
    expect((await platform.run(run.id)).state).toBe('waiting')
    platform.advance(301_000)
    await platform.fireTimers()
    expect(await platform.run(run.id)).toMatchObject({ state: 'failed', error: { code: 'approval-expired' } })
    await platform.check()
  })

  test('a gate whose command cannot run fails without asking anybody', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(gate('review'), { inputs: { ok: true } })
    const ended = await platform.work(run.id, (lease) =>
      lease.step === 'quality' ? { code: 'command-not-found' } : { output: {} },
    )
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'command-not-found' } })
    expect(await approvals()).toEqual([])
    await platform.check()
  })
})
