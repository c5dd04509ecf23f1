import { expect, test } from 'vitest'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import type { QuotaSettings } from '../../src/orchestration/quotas/limiter.ts'
import { QuotaBroker } from '../../src/orchestration/quotas/quota-broker.ts'
import type { QuotaRequest, QuotaTarget } from '../../src/orchestration/quotas/quota-port.ts'
import { type ProviderScript, ScriptedProvider } from '../../src/orchestration/quotas/scripted-provider.fixture.ts'
import { eachDatabase, type TestDatabase } from '../support/databases.ts'

const tenant = 'default' as TenantId
const unset: QuotaSettings = { requestsPerMinute: null, tokensPerMinute: null, concurrent: null }

function kitOf(use: () => TestDatabase) {
  const problems: unknown[] = []
  const open = () => new QuotaBroker({ database: use().db, onError: (error) => problems.push(error) })

  async function account(id: string, settings: Partial<QuotaSettings> = {}) {
    await use().owner(
      `insert into quota_accounts (tenant_id, id, provider, settings, updated_at) values ('default', $1, 'x', $2, now())`,
      [id, JSON.stringify({ ...unset, ...settings })],
    )
  }

  /** `calls` calls by `workers` callers over `brokers`, each until it is done. Returns who was served by which account, in order. */
  async function work(
    brokers: readonly QuotaBroker[],
    urls: Readonly<Record<string, string>>,
    options: { workers: number; calls: number; tokens?: number; request?: (worker: number) => Partial<QuotaRequest> },
  ) {
    const { workers, calls, tokens = 0, request = () => ({}) } = options
    const [first] = Object.keys(urls)
    const served: { readonly worker: number; readonly target: QuotaTarget }[] = []
    let next = 0
    await Promise.all(
      Array.from({ length: workers }, async (_, worker) => {
        const broker = brokers[worker % brokers.length]!
        while (next++ < calls) {
          const asked = { tenant, targets: [{ account: first! }], tokens, ...request(worker) }
          const outcome = await broker.run(asked, async (target, signal) => {
            const headers = { 'x-caller': String(worker), 'x-tokens': String(tokens) }
            const answer = await fetch(urls[target.account]!, { headers, signal })
            await answer.arrayBuffer()
            if (answer.ok) served.push({ worker, target })
            return { status: answer.status, headers: answer.headers, tokens }
          })
          expect(outcome.status).toBe(200)
        }
      }),
    )
    return served
  }

  return { problems, open, account, work }
}

/** The conformance of the limiter with what providers do: no storm, and all work ends. */
const scripts: Readonly<Record<string, ProviderScript & { workers: number; calls: number; each?: number }>> = {
  'openai headers': { dialect: 'openai', requests: { burst: 20, perSecond: 60 }, workers: 48, calls: 240 },
  'anthropic headers': { dialect: 'anthropic', requests: { burst: 20, perSecond: 60 }, workers: 48, calls: 240 },
  'retry-after alone': { dialect: 'plain', requests: { burst: 10, perSecond: 60 }, workers: 48, calls: 240 },
  'no word but 429': { dialect: 'bare', requests: { burst: 10, perSecond: 60 }, workers: 48, calls: 200 },
  'a limit of calls under way': { dialect: 'plain', requests: null, concurrent: 6, workers: 48, calls: 240 },
  'a limit of tokens': {
    ...{ dialect: 'openai', requests: { burst: 500, perSecond: 500 }, tokens: { burst: 10_000, perSecond: 40_000 } },
    ...{ workers: 32, calls: 200, each: 1_000 },
  },
}

eachDatabase(
  'what providers do',
  (use) => {
    const { problems, open, account, work } = kitOf(use)

    test.each(Object.entries(scripts))('%s: three processes raise no storm, and all work ends', async (_, script) => {
      await using provider = await ScriptedProvider.start(script)
      await account('one')
      const brokers = [open(), open(), open()]
      const { workers, calls, each = 0 } = script
      const served = await work(brokers, { one: provider.url }, { workers, calls, tokens: each })
      await Promise.all(brokers.map((broker) => broker.close()))
      expect(served).toHaveLength(calls)
      const { refused, total } = provider.refusals(1_000)
      expect(refused).toBeLessThanOrEqual(Math.max(1, total * 0.05))
      expect(problems).toEqual([])
      expect(await use().owner('select * from quota_slices')).toEqual([])
    })
  },
  { kinds: ['postgres'] },
)

eachDatabase('quota broker', (use) => {
  const { problems, open, account, work } = kitOf(use)

  test('lanes: the higher priority goes first, and the lowest is not starved', async () => {
    await using provider = await ScriptedProvider.start({ dialect: 'openai', requests: null, latencyMs: 5 })
    await account('one', { requestsPerMinute: 1_800, concurrent: 4 })
    const broker = open()
    const request = (worker: number) => ({ priority: worker < 6 ? 9 : 1 })
    const served = await work([broker], { one: provider.url }, { workers: 12, calls: 120, request })
    await broker.close()
    const high = served.slice(0, 60).filter(({ worker }) => worker < 6).length
    expect(high).toBeGreaterThan(40)
    expect(high).toBeLessThan(60)
    expect(served).toHaveLength(120)
  })

  test('callers who share an account get equal parts of it, however many calls each has waiting', async () => {
    await using provider = await ScriptedProvider.start({ dialect: 'openai', requests: null, latencyMs: 5 })
    await account('one', { requestsPerMinute: 1_800, concurrent: 4 })
    const broker = open()
    const request = (worker: number) => ({ asker: worker < 20 ? 'many' : 'few' })
    const served = await work([broker], { one: provider.url }, { workers: 24, calls: 120, request })
    await broker.close()
    // Four of 24 would have 10 of the first 60.
    expect(served.slice(0, 60).filter(({ worker }) => worker >= 20).length).toBeGreaterThan(20)
  })

  test('fails over to another account at once, to another model after patience, and to nothing that is not allowed', async () => {
    await using busy = await ScriptedProvider.start({ dialect: 'plain', requests: { burst: 1, perSecond: 0.02 } })
    await using spare = await ScriptedProvider.start({ dialect: 'plain', requests: null })
    await account('busy')
    await account('spare')
    const broker = open()
    const urls = { busy: busy.url, spare: spare.url }
    const first = { account: 'busy', model: 'large' }
    const other = [first, { account: 'spare', model: 'large' }]
    const smaller = [first, { account: 'spare', model: 'small' }]
    const run = async (request: Partial<QuotaRequest>) =>
      (await work([broker], urls, { workers: 1, calls: 1, request: () => request }))[0]!.target
    // Uses up what there is, and finds out.
    await run({ targets: other, failover: { account: true } })
    expect(await run({ targets: other, failover: { account: true } })).toEqual({ account: 'spare', model: 'large' })
    const failover = { account: true, model: true }
    expect(await run({ targets: smaller, failover, patienceMs: 100 })).toEqual({ account: 'spare', model: 'small' })
    const stopping = new AbortController()
    const refused = broker.acquire({ tenant, targets: smaller, failover: { account: true } }, stopping.signal)
    const waiting = expect(refused).rejects.toThrow('nobody waits any longer')
    expect(await run({ targets: other, failover: { account: true } })).toEqual({ account: 'spare', model: 'large' })
    stopping.abort(new Error('nobody waits any longer'))
    await waiting
    await broker.close()
  })

  test('an account that is not there is refused by name', async () => {
    const broker = open()
    await expect(broker.acquire({ tenant, targets: [{ account: 'gone' }] })).rejects.toMatchObject({
      code: 'quota-unknown',
      message: 'there is no account gone',
    })
    await account('gone')
    const permit = await broker.acquire({ tenant, targets: [{ account: 'gone' }] })
    permit.done({ status: 200 })
    permit.done({ status: 429 })
    await broker.close()
    expect(await use().owner(`select state->>'cutAt' as cut from quota_accounts`)).toEqual([{ cut: '0' }])
  })

  test('the slice of a process that died is shared out again when its lease is over', async () => {
    await account('one', { concurrent: 2 })
    const dead = new QuotaBroker({ database: use().db, leaseMs: 500, onError: (error) => problems.push(error) })
    const held = await Promise.all([1, 2].map(() => dead.acquire({ tenant, targets: [{ account: 'one' }] })))
    const alive = open()
    const next = alive.acquire({ tenant, targets: [{ account: 'one' }] })
    let served = false
    void next.then(() => {
      served = true
    })
    await dead.acquire({ tenant, targets: [{ account: 'one' }] }, AbortSignal.timeout(300)).catch(() => {})
    expect(served).toBe(false)
    // It says nothing any more, as if it had been killed; its calls are over, or their places are.
    await use().owner(`update quota_slices set lease_until = now() - interval '1 second' where holder <> $1`, ['-'])
    for (const permit of held) permit.done({ status: 200 })
    ;(await next).done({ status: 200 })
    await Promise.all([dead.close(), alive.close()])
    expect(problems).toEqual([])
  })

  test('what a call throws gives the place back', async () => {
    await account('one', { concurrent: 1 })
    const broker = open()
    const request = { tenant, targets: [{ account: 'one' }] }
    await expect(broker.run(request, () => Promise.reject(new Error('the line broke')))).rejects.toThrow(
      'the line broke',
    )
    const answer = await broker.run(request, async () => ({ status: 200, value: 7 }))
    expect(answer.value).toBe(7)
    await broker.close()
  })
})
