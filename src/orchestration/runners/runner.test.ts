import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { databaseErrors } from '../../foundation/platform/database/database-errors.ts'
import type { ResolvedTask } from '../workflows/task-contract.ts'
import { MemoryExchange } from './memory-exchange.fixture.ts'
import { commandSpec, RunnerKit } from './runner-kit.fixture.ts'

let kit: RunnerKit
beforeEach(() => {
  kit = new RunnerKit()
})
afterEach(() => kit.close())

const call = (name: string, more: Partial<ResolvedTask> = {}) => commandSpec([name], more as never)

describe('a runner', () => {
  it('takes work, does it on its agents within their slots, and reports each task once', async () => {
    let running = 0
    let most = 0
    const agent = kit.functionAgent({
      async count() {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 1))
        running -= 1
        return { fine: true }
      },
    })
    const port = new MemoryExchange([agent.registration])
    const ids = Array.from({ length: 50 }, () => port.enqueue(call('count')))
    kit.runner(port, [agent])
    await port.settled(50)
    expect(most).toBe(4)
    expect(port.accepted.map((report) => report.taskId).sort()).toEqual([...ids].sort())
    expect(port.refused).toEqual([])
    expect(port.reportOf(ids[0]!)).toMatchObject({
      outcome: 'succeeded',
      output: { fine: true },
      error: null,
      artifacts: [],
    })
  })

  it('pushes thousands of small tasks through in full calls', async () => {
    const agent = kit.functionAgent({ nothing: () => null }, 1_000)
    const port = new MemoryExchange([agent.registration])
    const tasks = 40_000
    for (let index = 0; index < tasks; index++) port.enqueue(call('nothing'))
    const from = performance.now()
    kit.runner(port, [agent])
    await port.settled(tasks)
    const rate = tasks / ((performance.now() - from) / 1_000)
    // 20,000 a second is what it is made for; the test leaves room for a machine that does other work.
    expect(rate).toBeGreaterThan(5_000)
    expect(new Set(port.accepted.map((report) => report.fence)).size).toBe(tasks)
    expect(Math.max(...port.requests.map((request) => request.reports))).toBeLessThanOrEqual(500)
    expect(tasks / port.requests.length).toBeGreaterThan(100)
  })

  it('goes on when functions throw, hang up or are unknown', async () => {
    const agent = kit.functionAgent({
      fine: () => 'fine',
      bad: () => {
        throw new Error('bad luck')
      },
      late: async () => {
        throw databaseErrors['database-busy']('busy')
      },
    })
    const port = new MemoryExchange([agent.registration])
    const ids = ['bad', 'late', 'unknown', 'fine', 'constructor'].map((name) => port.enqueue(call(name)))
    kit.runner(port, [agent])
    await port.settled(5)
    expect(ids.map((id) => port.reportOf(id)?.error?.code ?? null)).toEqual([
      'agent-crashed',
      'database-busy',
      'agent-mismatch',
      null,
      'agent-mismatch',
    ])
    expect(port.reportOf(ids[1]!)?.error?.retry).toBe('later')
  })

  it('ends work on cancel, on timeout and on the loss of its lease, and reports the first two', async () => {
    const stopped: unknown[] = []
    const agent = kit.functionAgent({
      wait: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            stopped.push(signal.reason)
            reject(new Error('stopped'))
          })
        }),
    })
    const port = new MemoryExchange([agent.registration])
    const cancelled = port.enqueue(call('wait'))
    const late = port.enqueue(call('wait', { timeoutMs: 150 }))
    const lost = port.enqueue(call('wait'))
    const runner = kit.runner(port, [agent], { pollMs: 50 })
    await expect.poll(() => runner.active).toBe(3)
    port.cancel(cancelled, 'nobody wants it')
    port.revoke(lost, false)
    await port.settled(2)
    await expect.poll(() => runner.active).toBe(0)
    expect(port.reportOf(cancelled)).toMatchObject({
      outcome: 'cancelled',
      error: { code: 'cancelled', message: 'nobody wants it' },
    })
    expect(port.reportOf(late)).toMatchObject({
      outcome: 'timed-out',
      error: { code: 'timeout', message: 'it took longer than 150 ms', retry: 'later' },
    })
    expect(stopped).toEqual(
      expect.arrayContaining(['nobody wants it', 'the lease was lost', 'it took longer than 150 ms']),
    )
    expect(port.refused).toEqual([])
  })

  it('frees the slot of work that ignores its end', async () => {
    const agent = kit.functionAgent({ deaf: () => new Promise(() => {}), fine: () => 1 }, 1)
    const port = new MemoryExchange([agent.registration])
    const deaf = port.enqueue(call('deaf', { timeoutMs: 50 }))
    const next = port.enqueue(call('fine'))
    kit.runner(port, [agent], { abandonMs: 100 })
    await port.settled(2)
    expect(port.reportOf(deaf)).toMatchObject({ outcome: 'timed-out', error: { code: 'timeout' } })
    expect(port.reportOf(next)).toMatchObject({ outcome: 'succeeded' })
  })

  it('does a task again under its new lease, and only the newest report counts', async () => {
    const release: (() => void)[] = []
    const agent = kit.functionAgent({
      hold: () => new Promise((resolve) => release.push(() => resolve(release.length))),
    })
    const port = new MemoryExchange([agent.registration])
    const id = port.enqueue(call('hold'))
    kit.runner(port, [agent], { pollMs: 30 })
    await expect.poll(() => release.length).toBe(1)
    port.revoke(id)
    await expect.poll(() => release.length).toBe(2)
    for (const free of release) free()
    await port.settled(1)
    expect(port.accepted).toHaveLength(1)
    expect(port.accepted[0]).toMatchObject({ fence: 2, outcome: 'succeeded' })
    expect(port.refused).toEqual([])
  })

  it('never does a lease twice, though answers come late and again', async () => {
    const seen = new Map<number, number>()
    const once = ({ fence }: { readonly fence: number }) => {
      seen.set(fence, (seen.get(fence) ?? 0) + 1)
      return null
    }
    const agent = kit.functionAgent({ once }, 50)
    const port = new MemoryExchange([agent.registration])
    let calls = 0
    port.pause = async () => {
      calls += 1
      for (let turn = calls % 7; turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve))
      if (calls % 5 === 0) throw new Error('the answer was lost')
    }
    for (let index = 0; index < 2_000; index++) port.enqueue(call('once'))
    kit.runner(port, [agent], { random: { next: () => 0, bytes: () => new Uint8Array() } })
    await expect.poll(() => port.accepted.length, { timeout: 20_000 }).toBe(2_000)
    expect([...seen.values()].every((count) => count === 1)).toBe(true)
    expect(seen.size).toBe(2_000)
  })

  it('reports progress, batched and not more often than agreed', async () => {
    const agent = kit.functionAgent({
      talk: async (_, context) => {
        for (let index = 0; index < 300; index++) {
          context.progress(`line ${index}`)
          await new Promise((resolve) => setTimeout(resolve, 2))
        }
        return null
      },
    })
    const port = new MemoryExchange([agent.registration])
    for (let index = 0; index < 4; index++) port.enqueue(call('talk'))
    const started = performance.now()
    kit.runner(port, [agent], { progressMs: 250 })
    await port.settled(4)
    const periods = Math.ceil((performance.now() - started) / 250)
    expect(port.progress.length).toBeGreaterThanOrEqual(4)
    expect(port.progress.length).toBeLessThanOrEqual(4 * periods)
    expect(port.progress[0]).toMatchObject({ taskId: 'tsk_1', fence: 1, note: expect.stringMatching(/^line \d+$/) })
  })
})

describe('while the coordinator is away', () => {
  const away = { error: new Error('connection refused'), when: 'before' as const }

  it('a runner keeps its reports, tries again ever more rarely, and delivers them', async () => {
    const release = Promise.withResolvers<null>()
    const agent = kit.functionAgent({ hold: () => release.promise })
    const port = new MemoryExchange([agent.registration])
    const ids = [port.enqueue(call('hold')), port.enqueue(call('hold'))]
    const runner = kit.runner(port, [agent])
    await expect.poll(() => runner.active).toBe(2)
    port.failure = away
    release.resolve(null)
    await expect.poll(() => kit.errors.length).toBeGreaterThanOrEqual(2)
    expect(readFileSync(join(kit.folder, 'outbox.ndjson'), 'utf8').trim().split('\n')).toHaveLength(2)
    expect(kit.errors.length).toBeLessThan(10)
    port.failure = null
    await port.settled(2)
    expect(port.accepted.map((report) => report.taskId).sort()).toEqual(ids)
    await expect.poll(() => existsSync(join(kit.folder, 'outbox.ndjson'))).toBe(false)
  })

  it('an answer that is lost after its request was taken changes nothing', async () => {
    const agent = kit.functionAgent({ fine: () => 1 })
    const port = new MemoryExchange([agent.registration])
    for (let index = 0; index < 20; index++) port.enqueue(call('fine'))
    port.failure = { error: new Error('connection reset'), when: 'after' }
    kit.runner(port, [agent])
    await expect.poll(() => kit.errors.length).toBeGreaterThanOrEqual(2)
    port.failure = null
    await port.settled(20)
    expect(new Set(port.accepted.map((report) => report.taskId)).size).toBe(20)
  })

  it('a restart loses no report, and one whose lease has passed on is refused', async () => {
    const release = Promise.withResolvers<string>()
    const agent = kit.functionAgent({ hold: () => release.promise })
    const port = new MemoryExchange([agent.registration])
    const kept = port.enqueue(call('hold'))
    const lost = port.enqueue(call('hold'))
    const first = kit.runner(port, [agent])
    await expect.poll(() => first.active).toBe(2)
    port.failure = away
    release.resolve('done before')
    await expect.poll(() => first.active).toBe(0)
    await first.close()
    port.revoke(lost, false)
    port.failure = null
    kit.runner(port, [agent])
    await port.settled(1)
    expect(port.reportOf(kept)).toMatchObject({ outcome: 'succeeded', output: 'done before' })
    await expect.poll(() => port.refused.map((report) => report.taskId)).toEqual([lost])
    expect(port.accepted).toHaveLength(1)
  })

  it('a commit that may or may not have happened costs no result', async () => {
    for (const when of ['before', 'after'] as const) {
      const agent = kit.functionAgent({ fine: () => 'fine' })
      const port = new MemoryExchange([agent.registration])
      const exchange = port.exchange.bind(port)
      let broken = 0
      port.exchange = async (request, signal) => {
        const breaks = request.reports.length === 1 && broken < 3
        if (breaks) broken += 1
        const unknown = databaseErrors['commit-unknown']('the connection broke during COMMIT')
        if (breaks && when === 'before') throw unknown
        const reply = await exchange(request, signal)
        if (breaks) throw unknown
        return reply
      }
      const id = port.enqueue(call('fine'))
      kit.runner(port, [agent])
      await port.settled(1)
      await expect.poll(() => broken).toBe(3)
      expect(port.accepted).toHaveLength(1)
      expect(port.reportOf(id)).toMatchObject({ outcome: 'succeeded', output: 'fine' })
    }
  })

  it('one report that can never be recorded does not hold up the others', async () => {
    const agent = kit.functionAgent({ fine: () => 'fine', poison: () => 'poison' }, 10)
    const port = new MemoryExchange([agent.registration])
    const exchange = port.exchange.bind(port)
    port.exchange = async (request, signal) => {
      if (request.reports.some((report) => report.output === 'poison')) {
        throw databaseErrors['value-not-encodable']('it cannot be stored')
      }
      return exchange(request, signal)
    }
    const ids = ['fine', 'poison', 'fine', 'fine'].map((name) => port.enqueue(call(name)))
    kit.runner(port, [agent])
    await port.settled(4)
    expect(port.reportOf(ids[1]!)).toMatchObject({
      outcome: 'failed',
      error: { code: 'output-invalid', message: 'the result could not be recorded: it cannot be stored' },
    })
    expect(port.reportOf(ids[3]!)).toMatchObject({ outcome: 'succeeded' })
  })
})

describe('an end', () => {
  it('by drain takes nothing new and reports what runs', async () => {
    const release = Promise.withResolvers<null>()
    const agent = kit.functionAgent({ hold: () => release.promise }, 2)
    const port = new MemoryExchange([agent.registration])
    for (let index = 0; index < 5; index++) port.enqueue(call('hold'))
    const runner = kit.runner(port, [agent])
    await expect.poll(() => runner.active).toBe(2)
    const drained = runner.drain()
    await expect.poll(() => port.requests.at(-1)?.accept).toBe(false)
    release.resolve(null)
    await drained
    expect(port.accepted).toHaveLength(2)
    expect(port.leases).toBe(0)
  })

  it('by close ends the work without a word, so that others can take it', async () => {
    const agent = kit.functionAgent({
      wait: (_, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')))),
    })
    const port = new MemoryExchange([agent.registration])
    port.enqueue(call('wait'))
    const runner = kit.runner(port, [agent])
    await expect.poll(() => runner.active).toBe(1)
    await runner.close()
    expect(runner.active).toBe(0)
    expect(port.accepted).toEqual([])
    expect(port.leases).toBe(1)
  })
})
