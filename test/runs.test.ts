import { expect, test } from 'vitest'
import { eachDatabase } from './support/databases.ts'
import { TestPlatform, tenant } from './support/platform.ts'

const fanOut = `
name: fan-out
inputs:
  names: { type: json, default: [a, b, c] }
steps:
  list:
    command: [list]
    outputs: { files: json }
  each:
    needs: list
    map:
      over: \${{ steps.list.outputs.files }}
      as: file
      parallel: 2
      step:
        command: [check, "\${{ file }}"]
        outputs: { size: json }
  sum:
    needs: [each]
    command: [sum, "\${{ steps.each.outputs.size }}"]
    outputs: { total: json }
outputs:
  total: \${{ steps.sum.outputs.total }}
`

eachDatabase('runs', (use) => {
  test('a run fans out over what a step put out, and in again', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(fanOut)
    const seen: string[] = []
    const ended = await platform.work(run.id, (assignment) => {
      const argv = assignment.spec.kind === 'command' ? assignment.spec.argv : []
      seen.push(argv.join(' '))
      if (argv[0] === 'list') return { output: { files: ['x', 'y', 'z'] } }
      if (argv[0] === 'check') return { output: { size: argv[1]!.charCodeAt(0) } }
      return { output: { total: JSON.parse(argv[1]!).reduce((a: number, b: number) => a + b) } }
    })
    expect(ended.state).toBe('succeeded')
    expect(ended.outputs).toEqual({ total: 120 + 121 + 122 })
    expect(seen).toEqual(['list', 'check x', 'check y', 'check z', 'sum [120,121,122]'])
    expect(platform.errors).toEqual([])
  })

  test('a failed step skips what needs it, and finally steps run all the same', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(`
name: failing
steps:
  bad: { command: [bad] }
  after: { needs: bad, command: [never] }
  other: { command: [other] }
finally:
  tidy: { command: [tidy] }
`)
    const seen: string[] = []
    const ended = await platform.work(run.id, (assignment) => {
      seen.push(assignment.step)
      return assignment.step === 'bad' ? { code: 'exit-code', exitCode: 3 } : { output: {} }
    })
    expect(ended.state).toBe('failed')
    expect(ended.error?.message).toContain('bad')
    expect(seen.sort()).toEqual(['bad', 'other', 'tidy'])
    const steps = await use().owner<{ step: string; state: string; reason: string }>(
      'select step, state, reason from run_steps where run_id = $1 order by position',
      [run.id],
    )
    expect(steps.map((s) => [s.step, s.state])).toEqual([
      ['bad', 'failed'],
      ['after', 'skipped'],
      ['other', 'succeeded'],
      ['tidy', 'succeeded'],
    ])
    expect(steps[1]!.reason).toContain('needs bad')
  })

  test('a report with a stale fence changes nothing', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start('name: one\nsteps:\n  a: { command: [a] }\n')
    const { assignments } = await platform.exchange([])
    expect(assignments).toHaveLength(1)
    const stale = { ...platform.report(assignments[0]!, { output: {} }), fence: assignments[0]!.fence - 1 }
    await platform.exchange([stale], assignments)
    expect((await platform.run(run.id)).state).toBe('running')
    const report = platform.report(assignments[0]!, { output: {} })
    await platform.exchange([report])
    await platform.exchange([report])
    expect((await platform.run(run.id)).state).toBe('succeeded')
    const attempts = await use().owner('select * from attempts where run_id = $1', [run.id])
    expect(attempts).toHaveLength(1)
    const agents = await use().owner<{ used: number }>('select used from agents')
    expect(agents.map((agent) => agent.used)).toEqual([0])
  })

  test('each change of a task is one event, in the order of its revisions', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(fanOut)
    await platform.work(run.id, (a) => ({
      output: a.step === 'list' ? { files: [1, 2] } : a.step === 'sum' ? { total: 1 } : { size: 1 },
    }))
    const rows = await use().owner<{ id: string; rev: number; revs: number[] }>(`
      select t.id, t.rev, array_agg(e.subject_rev order by e.seq)::int[] as revs
      from tasks t join events e on e.subject_id = t.id group by t.tenant_id, t.id`)
    expect(rows.length).toBe(4)
    for (const row of rows) expect(row.revs).toEqual(Array.from({ length: row.rev }, (_, i) => i + 1))
  })

  test('an approval holds the run until somebody answers', async () => {
    const platform = new TestPlatform(use())
    await platform.register()
    const run = await platform.start(`
name: ask
steps:
  ask: { approval: { message: "go?" } }
  go: { needs: ask, command: [go] }
`)
    expect((await platform.run(run.id)).state).toBe('waiting')
    const [approval] = await use().owner<{ id: string }>('select id from approvals')
    await platform.parts.approvals.answer(tenant, approval!.id, 'approve', { by: 'me', comment: null })
    const ended = await platform.work(run.id, () => ({ output: {} }))
    expect(ended.state).toBe('succeeded')
    await expect(
      platform.parts.approvals.answer(tenant, approval!.id, 'reject', { by: 'me', comment: null }),
    ).rejects.toThrow('approved')
  })
})
