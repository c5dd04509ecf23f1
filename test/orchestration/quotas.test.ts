import { expect, test } from 'vitest'
import type { TenantId } from '../../src/foundation/kernel/ids.ts'
import type { QuotaSettings } from '../../src/orchestration/quotas/limiter.ts'
import { QuotaBroker } from '../../src/orchestration/quotas/quota-broker.ts'
import type { QuotaRequest, QuotaTarget } from '../../src/orchestration/quotas/quota-port.ts'
import { type ProviderScript, ScriptedProvider } from '../../src/orchestration/quotas/scripted-provider.fixture.ts'
import { eachDatabase } from '../support/databases.ts'

const tenant = 'default' as TenantId
const unset: QuotaSettings = { requestsPerMinute: null, tokensPerMinute: null, concurrent: null }

eachDatabase('quota broker', (use) => {
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

  test.each(Object.entries(scripts))(
    '%s: three processes raise no storm, and all work ends',
    async (_, script) => {
      await using provider = await ScriptedProvider.start(script)
      await account('one')
      const brokers = [open(), open(), open()]
      const { workers, calls, each = 0 } = script
      const served = await work(brokers, { one: provider.url }, { workers, calls, tokens: each })
      await Promise.all(brokers.map((broker) => broker.close()))
      expect(served).toHaveLength(calls)
      const { refused, total } = provider.refusals(1_000)
      console.log(
        JSON.stringify({
          script: _,
          all: provider.refusals(0),
          refused,
          total,
          ms: provider.seen.at(-1)!.at - provider.seen[0]!.at,
        }),
      )
      expect(refused).toBeLessThanOrEqual(Math.max(1, total * 0.05))
      expect(problems).toEqual([])
      expect(await use().owner('select * from quota_slices')).toEqual([])
    },
    40_000,
  )
})
