import fc from 'fast-check'
import { expect, test } from 'vitest'
import { startConsumer } from '../../src/foundation/runtime/consumer.ts'
import { insertTick } from '../../src/foundation/runtime/ticker.ts'
import { findApproval } from '../../src/orchestration/approvals/approvals-view.ts'
import { experienceOf } from '../../src/orchestration/approvals/experience-store.ts'
import { settleExperience } from '../../src/orchestration/approvals/gate-experience.ts'
import { retryFrom } from '../../src/orchestration/runs/retry-run.ts'
import { eachDatabase } from '../support/databases.ts'
import { explaining, type Plan } from '../support/explain.ts'
import { TestPlatform, tenant } from '../support/platform.ts'

const ask = (rules: string) => `
name: ask
steps:
  ask: { approval: { message: "go?", ${rules} } }
  go: { needs: ask, command: [go, "\${{ steps.ask.outputs.choice }}", "\${{ steps.ask.outputs.text }}"] }
`

eachDatabase('what an approval takes', (use) => {
  async function begin(text: string, requestedBy?: string) {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.parts.runs.start(tenant, {
      ...{ what: { text, fileName: 'ask.yaml' }, inputs: {}, repo: null, priority: null, parallel: null, labels: {} },
      ...(requestedBy === undefined ? {} : { requestedBy }),
    })
    return { platform, run, id: (await ids())[0]! }
  }
  const ids = async () =>
    (await use().owner<{ id: string }>('select id from approvals order by created_at, id')).map(({ id }) => id)
  const show = async (id: string) =>
    (await use()
      .db.forTenant(tenant)
      .read((tx) => findApproval(tx, tenant, id)))!
  const events = async () => {
    const rows = await use().owner<{ type: string; data: string[] }>(
      `select type, data from event_batches where subject_kind = 'approval' order by seq`,
    )
    return rows.map(({ type, data }) => ({ type, ...(JSON.parse(String(data[0])) as Record<string, unknown>) }))
  }
  const says = (platform: TestPlatform, id: string, by: string, decision: 'approve' | 'reject' = 'approve') =>
    platform.parts.approvals.answer(tenant, id, decision, { by, comment: `said ${by}` })

  test('two of three: each counts once, and the second lets it go on', async () => {
    const { platform, run, id } = await begin(ask('who: [ann, bob, cy], count: 2'))
    expect(await says(platform, id, 'ann')).toMatchObject({ state: 'pending', answers: [{ by: 'ann' }] })
    await expect(says(platform, id, 'ann')).rejects.toMatchObject({ code: 'approval-answered' })
    await expect(says(platform, id, 'eve')).rejects.toMatchObject({ code: 'approval-not-yours' })
    expect((await platform.run(run.id)).state).toBe('waiting')
    expect(await says(platform, id, 'cy')).toMatchObject({ state: 'approved', answeredBy: 'cy' })
    expect((await platform.work(run.id, () => ({ output: {} }))).state).toBe('succeeded')
    expect((await show(id)).answers.map(({ by, comment }) => [by, comment])).toEqual([
      ['ann', 'said ann'],
      ['cy', 'said cy'],
    ])
    expect(await events()).toMatchObject([
      { type: 'approval.pending', who: ['ann', 'bob', 'cy'] },
      { type: 'approval.voted', by: 'ann', comment: 'said ann' },
      { type: 'approval.approved', by: 'cy', comment: 'said cy' },
    ])
    await platform.check()
  })

  test('one who rejects is enough', async () => {
    const { platform, run, id } = await begin(ask('count: 3'))
    await says(platform, id, 'ann')
    expect(await says(platform, id, 'bob', 'reject')).toMatchObject({ state: 'rejected' })
    expect((await platform.work(run.id, () => ({ output: {} }))).error?.code).toBe('rejected')
    await platform.check()
  })

  test('whoever started the run, or the run that it repeats, does not answer', async () => {
    const { platform, run, id } = await begin(ask('requesterMayApprove: false'), 'ann')
    await expect(says(platform, id, 'ann')).rejects.toMatchObject({ code: 'approval-own-run' })
    expect(await says(platform, id, 'bob', 'reject')).toMatchObject({ state: 'rejected', requesters: ['ann'] })
    const ended = await platform.run(run.id)
    const { runs, catalog, graphOf } = platform.parts
    await runs.write(tenant, (tx, now) =>
      retryFrom(tx, { source: ended, from: null, runs, catalog, graphOf, requestedBy: 'bob' }, now),
    )
    const again = (await ids()).find((each) => each !== id)!
    for (const by of ['ann', 'bob'])
      await expect(says(platform, again, by)).rejects.toMatchObject({ code: 'approval-own-run' })
    await says(platform, again, 'cy')
    await platform.check()
  })

  test('choices and words: one of them is needed, and they are put out', async () => {
    const { platform, run, id } = await begin(ask('choices: [blue, { id: red, label: Red }], freeText: true'))
    const { approvals } = platform.parts
    const answer = (given: { choice?: string; text?: string }) =>
      approvals.answer(tenant, id, 'approve', { by: 'ann', comment: null, ...given })
    await expect(answer({})).rejects.toMatchObject({ code: 'approval-answer-invalid' })
    await expect(answer({ choice: 'green' })).rejects.toMatchObject({ code: 'approval-answer-invalid' })
    expect(await answer({ choice: 'red', text: 'as ever' })).toMatchObject({ choice: 'red', text: 'as ever' })
    let argv: readonly string[] = []
    await platform.work(run.id, (lease) => {
      if (lease.spec.kind === 'command') argv = lease.spec.argv
      return { output: {} }
    })
    expect(argv).toEqual(['go', 'red', 'as ever'])
    await platform.check()
  })

  test('nobody answers: others are asked, then the deadline begins again, then it is rejected', async () => {
    const { platform, run, id } = await begin(
      ask('who: [ann], deadline: 1h, default: escalate, escalate: [{ after: 30m, to: [lead] }, { to: [role:owner] }]'),
    )
    await expect(says(platform, id, 'lead')).rejects.toMatchObject({ code: 'approval-not-yours' })
    platform.advance(1_801_000)
    await platform.fireTimers()
    expect(await show(id)).toMatchObject({ state: 'pending', who: ['ann', 'lead'], level: 1 })
    // The process was away for long: what was due meanwhile happens once, in order.
    platform.advance(1_800_000)
    await platform.fireTimers()
    expect(await show(id)).toMatchObject({ state: 'pending', who: ['ann', 'lead', 'role:owner'], level: 2 })
    platform.advance(3_601_000)
    await platform.fireTimers()
    expect(await show(id)).toMatchObject({ state: 'expired', answeredBy: 'deadline' })
    expect((await platform.run(run.id)).error?.code).toBe('approval-expired')
    expect((await events()).map(({ type }) => type)).toEqual([
      ...['approval.pending', 'approval.escalated', 'approval.escalated', 'approval.expired'],
    ])
    expect(await use().owner('select id from timers')).toEqual([])
    await platform.check()
  })

  test('a choice is made at the deadline', async () => {
    const { platform, run } = await begin(ask('choices: [blue, red], deadline: 1m, default: blue'))
    platform.advance(61_000)
    await platform.fireTimers()
    let argv: readonly string[] = []
    const ended = await platform.work(run.id, (lease) => {
      if (lease.spec.kind === 'command') argv = lease.spec.argv
      return { output: {} }
    })
    expect([ended.state, argv]).toEqual(['succeeded', ['go', 'blue', '']])
    await platform.check()
  })

  test('answer against answer, deadline and cancellation: one of them counts, and the record agrees', async () => {
    const rounds = use().kind === 'postgres' ? 8 : 4
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.constantFrom('approve', 'reject', 'deadline', 'cancel', 'approve2'), { minLength: 2 }),
        async (racers) => {
          await use().reset()
          const { platform, run, id } = await begin(ask('deadline: 1m, default: approve'))
          if (racers.includes('deadline')) platform.advance(61_000)
          const race: Record<string, () => Promise<unknown>> = {
            approve: () => says(platform, id, 'ann'),
            approve2: () => says(platform, id, 'cy'),
            reject: () => says(platform, id, 'bob', 'reject'),
            deadline: () => platform.fireTimers(),
            cancel: () => platform.parts.runs.cancel(tenant, run.id, 'not needed'),
          }
          const results = await Promise.allSettled(racers.map((name) => race[name]!()))
          for (const result of results) {
            if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'illegal-transition' })
          }
          const approval = await show(id)
          const log = (await events()).filter(({ type }) => type !== 'approval.pending')
          expect(log).toHaveLength(1)
          expect(log[0]!.type).toBe(`approval.${approval.state}`)
          const step = (await platform.steps(run.id)).ask
          const expected = { approved: 'succeeded', rejected: 'failed', expired: 'succeeded', withdrawn: 'cancelled' }
          expect(step).toBe(expected[approval.state as keyof typeof expected])
          const won = results.filter((result, n) => result.status === 'fulfilled' && /approve|reject/.test(racers[n]!))
          expect(won.length).toBe(['approved', 'rejected'].includes(approval.state) ? 1 : 0)
          await platform.check()
        },
      ),
      { numRuns: rounds },
    )
  })

  const unsure = `
name: deploy
steps:
  quality:
    gate: { checks: [{ check: confidence, agent: "0.7", risks: [security] }] }
`

  test('nobody is asked about work that went well five times; a refusal brings the question back', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const facts = { agent: 0.7, reviewer: null, risks: ['security'], type: 'deploy/quality' }
    const found = { checks: [{ name: 'confidence', passed: false, level: 'review', facts }] }
    const settle = async () => {
      await use()
        .db.asSystem('test')
        .write((tx) => insertTick(tx, platform.database.clock.now()))
      const loop = startConsumer(platform.database, {
        name: 'task-ends',
        handle: (tx, batch) => settleExperience(tx, batch, platform.database.clock.now()),
        onError: (error) => platform.errors.push(error),
      })
      await loop.stop()
    }
    await settle()
    const repo = { path: '/tmp', commit: null, branch: null }
    const once = async (decision: 'approve' | 'reject') => {
      const run = await platform.parts.runs.start(tenant, {
        ...{ what: { text: unsure, fileName: 'd.yaml' }, inputs: {}, repo, priority: null, parallel: null, labels: {} },
      })
      await platform.work(run.id, () => ({ output: found }))
      const { state } = await platform.run(run.id)
      const rows = await use().owner<{ id: string }>(`select id from approvals where state = 'pending'`)
      if (rows[0] !== undefined) await says(platform, rows[0].id, 'ann', decision)
      await settle()
      return state
    }
    for (let n = 0; n < 5; n++) expect(await once('approve')).toBe('waiting')
    expect(await once('approve')).toBe('succeeded')
    // Ten of eleven are more than 90 %, nine of ten are not.
    await use().owner(`update work_samples set success = false where id = (select max(id) from work_samples)`)
    expect(await once('reject')).toBe('waiting')
    const samples = await use().owner<{ success: boolean; n: number }>(
      'select success, count(*)::int as n from work_samples group by success order by success',
    )
    expect(samples).toEqual([
      { success: false, n: 2 },
      { success: true, n: 5 },
    ])
    await platform.check()
  })

  test('an approval that tells how sure one is: the policy answers, or people do', async () => {
    const { platform, run } = await begin(ask('confidence: { agent: "0.9", risks: [security] }'))
    await platform.fireTimers()
    const [sure] = await ids()
    expect(await show(sure!)).toMatchObject({ state: 'approved', answeredBy: 'policy' })
    expect((await show(sure!)).comment).toContain('confidence 90 %')
    expect((await platform.work(run.id, () => ({ output: {} }))).state).toBe('succeeded')
    // 0.84 where .85 is wanted, because more than .7 is at stake.
    await begin(ask('confidence: { agent: "0.84", risks: [security, critical_path] }'))
    await platform.fireTimers()
    expect(await use().owner(`select state from approvals order by created_at desc limit 1`)).toEqual([
      { state: 'pending' },
    ])
    await platform.check()
  })

  test('what was learned is found by an index', async () => {
    await use().owner(`insert into work_samples (tenant_id, id, key, run_id, step, success, created_at, decided_at)
      select 'default', 's' || n, 'key' || n % 500, 'run', 'step', true, now(), now() from generate_series(1, 20000) n`)
    await use().owner('analyze work_samples')
    const plans: Plan[] = []
    await use()
      .db.forTenant(tenant)
      .write((tx) => experienceOf(explaining(tx, plans), tenant, ['key7']))
    expect(plans.flatMap(({ accesses }) => accesses)).toMatchObject([
      { table: 'work_samples', index: 'work_samples_key' },
    ])
  })
})
