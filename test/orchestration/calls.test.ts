import { expect, test } from 'vitest'
import type { Assignment } from '../../src/orchestration/runners/exchange-contract.ts'
import { eachDatabase } from '../support/databases.ts'
import { type Answer, TestPlatform, tenant } from '../support/platform.ts'

const inner = `
name: inner
inputs: { n: { type: number } }
steps:
  x: { command: [x, "\${{ inputs.n }}"], outputs: { v: json } }
outputs:
  twice: \${{ steps.x.outputs.v * 2 }}
`
const outer = `
name: outer
steps:
  call: { workflow: { name: inner, inputs: { n: 21 } } }
  after: { needs: call, command: [after, "\${{ steps.call.outputs.twice }}"] }
`
const each = (more: string, over = '[1, 2, 3]') => `
name: each
steps:
  each:
    map:
      over: ${over}
      ${more}
      step: { workflow: { name: inner, inputs: { n: "\${{ item }}" } } }
outputs:
  all: \${{ steps.each.outputs.twice }}
`

eachDatabase('runs that call runs', (use) => {
  const runsOf = (workflow: string) =>
    use().owner<{ id: string; state: string }>(
      'select id, state from runs where workflow = $1 order by created_at, id',
      [workflow],
    )

  test('inputs go in, outputs come out', async () => {
    const platform = new TestPlatform(use(), { definitions: { inner } })
    await platform.register()
    const run = await platform.start(outer)
    expect(await platform.tasks(run.id)).toMatchObject([{ name: 'call', state: 'waiting', reason: 'run' }])
    const argv: string[] = []
    const ended = await platform.work(run.id, (lease) => {
      const words = lease.spec.kind === 'command' ? lease.spec.argv : []
      argv.push(words.join(' '))
      return { output: { v: Number(words[1]) } }
    })
    expect(ended.state).toBe('succeeded')
    expect(argv).toEqual(['x 21', 'after 42'])
    await platform.check()
  })

  test('a run calls the versions that were there when it began, however deep, and so does its repetition', async () => {
    const definitions: Record<string, string> = {
      middle: 'name: middle\nsteps:\n  down: { workflow: lowest }\n',
      lowest: 'name: lowest\nsteps:\n  x: { command: [old] }\n',
    }
    const platform = new TestPlatform(use(), { definitions })
    await platform.register()
    const top = 'name: top\nsteps:\n  first: { command: [first] }\n  call: { needs: first, workflow: middle }\n'
    const words: string[] = []
    const answer =
      (fails: boolean) =>
      ({ spec }: Assignment): Answer => {
        const word = spec.kind === 'command' ? spec.argv[0]! : ''
        words.push(word)
        return fails && word === 'old' ? { code: 'exit-code', exitCode: 1, retry: 'never' } : { output: null }
      }
    const run = await platform.start(top)
    definitions.middle = 'name: middle\nsteps:\n  other: { command: [new-middle] }\n'
    definitions.lowest = 'name: lowest\nsteps:\n  x: { command: [new] }\n'
    const failed = await platform.work(run.id, answer(true))
    expect(failed.state).toBe('failed')
    const again = await platform.retry(failed)
    expect((await platform.work(again.id, answer(false))).state).toBe('succeeded')
    expect(words).toEqual(['first', 'old', 'old'])
    const next = await platform.start(top)
    expect((await platform.work(next.id, answer(false))).state).toBe('succeeded')
    expect(words.slice(3)).toEqual(['first', 'new-middle'])
    await platform.check()
  })

  test('a map of calls has no more under way than it allows', async () => {
    const platform = new TestPlatform(use(), { definitions: { inner } })
    const worker = await platform.register()
    const run = await platform.start(each('parallel: 2'))
    const counts: number[] = []
    let held = await worker.take()
    while (held.length > 0) {
      counts.push((await runsOf('inner')).filter((row) => row.state === 'running').length)
      await platform.check()
      await worker.finish(held, (lease) => ({
        output: { v: Number(lease.spec.kind === 'command' ? lease.spec.argv[1] : 0) },
      }))
      held = await worker.take()
    }
    expect(counts).toEqual([2, 1])
    expect(await platform.run(run.id)).toMatchObject({ state: 'succeeded', outputs: { all: [2, 4, 6] } })
    await platform.check()
  })

  test('a called run that fails fails its step; one that is cancelled cancels it', async () => {
    const platform = new TestPlatform(use(), { definitions: { inner } })
    const worker = await platform.register()
    const failing = await platform.start(outer)
    const ended = await platform.work(failing.id, () => ({ code: 'exit-code', exitCode: 2 }))
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'exit-code' } })
    expect(ended.error!.message).toMatch(/step call: run run_\w+ was failed: step x: failed with exit-code/)
    const cancelled = await platform.start(outer)
    const held = await worker.take()
    await platform.parts.runs.cancel(tenant, held[0]!.runId, 'no')
    await worker.finish(held, () => ({ cancelled: true }))
    expect((await platform.run(cancelled.id)).state).toBe('cancelled')
    await platform.check()
  })

  test('to cancel, to pause and to resume the caller does so with what it called', async () => {
    const platform = new TestPlatform(use(), { definitions: { inner } })
    const worker = await platform.register(1)
    const run = await platform.start(each(''))
    const held = await worker.take()
    await platform.parts.runs.pause(tenant, run.id)
    await worker.finish(held, () => ({ output: { v: 1 } }))
    expect(await worker.take()).toEqual([])
    expect((await runsOf('inner')).map((row) => row.state).sort()).toEqual(['paused', 'paused', 'paused'])
    await platform.check()
    await platform.parts.runs.resume(tenant, run.id)
    const next = await worker.take()
    expect(next).toHaveLength(1)
    await platform.check()
    await platform.parts.runs.cancel(tenant, run.id, 'no')
    await worker.finish(next, () => ({ cancelled: true }))
    expect((await runsOf('inner')).map((row) => row.state).sort()).toEqual(['cancelled', 'cancelled', 'succeeded'])
    expect((await platform.run(run.id)).state).toBe('cancelled')
    await platform.check()
  })

  test('a call that takes too long is given up, and what it called is cancelled', async () => {
    const platform = new TestPlatform(use(), { definitions: { inner } })
    const worker = await platform.register()
    const run = await platform.start(
      'name: t\nsteps:\n  call: { workflow: { name: inner, inputs: { n: 1 } }, timeout: 1m }\n',
    )
    const held = await worker.take()
    platform.advance(61_000)
    await platform.fireTimers()
    expect(await platform.run(run.id)).toMatchObject({ state: 'failed', error: { code: 'timeout' } })
    await worker.finish(held, () => ({ cancelled: true }))
    expect(await runsOf('inner')).toMatchObject([{ state: 'cancelled' }])
    await platform.check()
  })

  test('a call is tried again as its policy says, as a new run', async () => {
    const platform = new TestPlatform(use(), { definitions: { inner } })
    await platform.register()
    const run = await platform.start(`
name: again
steps:
  call: { workflow: { name: inner, inputs: { n: 4 } }, retry: { attempts: 2 } }
outputs: { twice: "\${{ steps.call.outputs.twice }}" }
`)
    await platform.work(run.id, () => ({ code: 'exit-code', exitCode: 1 }))
    expect(await platform.tasks(run.id)).toMatchObject([{ state: 'waiting', reason: 'back-off' }])
    await platform.check()
    platform.advance(10_000)
    await platform.fireTimers()
    const ended = await platform.work(run.id, () => ({ output: { v: 5 } }))
    expect(ended).toMatchObject({ state: 'succeeded', outputs: { twice: 10 } })
    expect((await runsOf('inner')).map((row) => row.state)).toEqual(['failed', 'succeeded'])
    await platform.check()
  })

  test('what cannot be started fails its task and leaves the rest alone', async () => {
    const platform = new TestPlatform(use(), { definitions: { inner } })
    await platform.register()
    const run = await platform.start(`
name: bad
steps:
  start: { command: [start] }
  missing: { needs: start, workflow: nowhere }
  wrong: { needs: start, workflow: { name: inner, inputs: { n: x } } }
  good: { needs: start, workflow: { name: inner, inputs: { n: 1 } } }
`)
    const ended = await platform.work(run.id, () => ({ output: { v: 1 } }))
    expect(ended.state).toBe('failed')
    expect(await platform.steps(run.id)).toEqual({
      start: 'succeeded',
      missing: 'failed',
      wrong: 'failed',
      good: 'succeeded',
    })
    const errors = (await platform.tasks(run.id)).map((task) => task.error?.code)
    expect(errors).toContain('workflow-not-found')
    await platform.check()
  })

  test('workflows that call each other in a circle are stopped', async () => {
    const ping = 'name: ping\nsteps:\n  go: { workflow: pong }\n'
    const pong = 'name: pong\nsteps:\n  go: { workflow: ping }\n'
    const platform = new TestPlatform(use(), { definitions: { ping, pong } })
    const run = await platform.start(ping)
    const ended = await platform.run(run.id)
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'calls-too-deep' } })
    expect(await use().owner('select id from runs')).toHaveLength(10)
    await platform.check()
  })

  test('a called workflow with its own limit waits for its turn, and is forgotten with its caller', async () => {
    const limited = 'name: limited\nconcurrency: { key: one }\nsteps:\n  x: { command: [x] }\n'
    const platform = new TestPlatform(use(), { definitions: { limited } })
    const worker = await platform.register()
    const caller = 'name: caller\nsteps:\n  call: { workflow: limited }\n'
    const first = await platform.start(caller)
    const second = await platform.start(caller)
    const third = await platform.start(caller)
    expect((await runsOf('limited')).map((row) => row.state)).toEqual(['running', 'pending', 'pending'])
    await platform.parts.runs.cancel(tenant, second.id, 'no')
    expect((await platform.run(second.id)).state).toBe('cancelled')
    const { assignments } = await worker.finish(await worker.take(), () => ({ output: {} }))
    expect(assignments).toHaveLength(1)
    await worker.finish(assignments, () => ({ output: {} }))
    for (const run of [first, third]) expect((await platform.run(run.id)).state).toBe('succeeded')
    await platform.check()
  })
})
