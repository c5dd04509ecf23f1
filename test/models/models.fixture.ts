import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { createModelKey, listModelCalls, type ModelCallView, setBudget, showBudget } from '../../src/contract.ts'
import { startApi, type TestApi } from '../support/api.ts'
import { type DatabaseKind, openTestDatabase, type TestDatabase } from '../support/databases.ts'
import { ModelServer } from '../support/model-server/index.ts'

/** The real server with the model gateway, on a scripted provider of each dialect. */
export interface ModelPlace extends AsyncDisposable {
  readonly use: TestDatabase
  readonly api: TestApi
  readonly openaiServer: ModelServer
  readonly anthropicServer: ModelServer
  readonly openai: OpenAI
  readonly anthropic: Anthropic
  /** A key of the gateway. */
  keyFor(wish: Parameters<typeof clientsOf>[1] & Record<string, unknown>): Promise<string>
  clients(key: string): { readonly openai: OpenAI; readonly anthropic: Anthropic }
  /** Forgets everything once nothing is held any more. */
  reset(): Promise<void>
  /** Waits until so many calls since the last reset are written down; newest first. */
  calls(count: number): Promise<readonly ModelCallView[]>
  budget(usd: number, more?: Partial<{ scope: 'tenant' | 'run'; scopeId: string }>): Promise<string>
  spent(id: string): Promise<{ readonly spent: number; readonly held: number }>
}

export function clientsOf(url: string, wish: { readonly apiKey?: string }) {
  const apiKey = wish.apiKey ?? 'none'
  return {
    openai: new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 }),
    anthropic: new Anthropic({ baseURL: url, apiKey, maxRetries: 0 }),
  }
}

export async function openModelPlace(
  kind: DatabaseKind = 'pglite',
  more: { readonly wait?: string } = {},
): Promise<ModelPlace> {
  const use = await openTestDatabase(kind)
  const openaiServer = await ModelServer.start({ key: 'k-openai' })
  const anthropicServer = await ModelServer.start({ key: 'k-anthropic' })
  const yaml = `
rateLimits: { ip: none, failures: none, key: none, tenant: none, route: none }
secrets:
  OPENAI: { command: [printf, k-openai] }
  ANTHROPIC: { command: [printf, k-anthropic] }
prices:
  - { model: dear, from: 2020-01-01, input: 10, output: 100 }
  - { model: plain, from: 2020-01-01, input: 1, output: 1 }
models:
  wait: ${more.wait ?? '5s'}
  accounts:
    oa: { provider: openai, url: '${openaiServer.url}', secret: OPENAI, models: ['gpt-*', 'text-embedding-*', dear, unpriced] }
    spare: { provider: openai, url: '${openaiServer.url}', secret: OPENAI, models: ['gpt-*'], headers: { x-account: spare } }
    like: { provider: compatible, url: '${openaiServer.url}', secret: OPENAI, models: ['plain*'], subscription: max }
    an: { provider: anthropic, url: '${anthropicServer.url}', secret: ANTHROPIC, models: ['claude-*'] }
    theirs: { provider: openai, url: '${openaiServer.url}', models: [hidden], tenants: [other] }
  aliases:
    smart: [an/claude-haiku-4-5, oa/gpt-4o]
    quick: oa/gpt-4o-mini
`
  const api = await startApi(use.db, { yaml })
  const url = api.server.localUrl
  let since = 0
  const own = clientsOf(url, { apiKey: api.server.token })
  return {
    ...{ use, api, openaiServer, anthropicServer, ...own },
    keyFor: async (wish) => (await api.owner.call(createModelKey, { body: { name: 'test', ...wish } })).key,
    clients: (key) => clientsOf(url, { apiKey: key }),
    async reset() {
      openaiServer.reset()
      anthropicServer.reset()
      const deadline = performance.now() + 10_000
      while ((await use.owner(`select 1 from reservations where ended_at is null`)).length > 0) {
        if (performance.now() > deadline) throw new Error('something is held for ever')
      }
      await use.reset()
      await use.owner(`insert into quota_accounts (tenant_id, id, provider, settings, updated_at)
        select 'default', a, 'openai', '{"requestsPerMinute":null,"tokensPerMinute":null,"concurrent":null}', now()
        from unnest(array['oa', 'spare', 'like', 'an']) as a`)
      since = Date.now()
    },
    async calls(count) {
      const deadline = performance.now() + 10_000
      for (;;) {
        const { items: all } = await api.owner.call(listModelCalls, {})
        const items = all.filter(({ startedAt }) => Date.parse(startedAt) >= since)
        if (items.length >= count) return items
        if (performance.now() > deadline) throw new Error(`${items.length} of ${count} calls are written down`)
      }
    },
    async budget(usd, { scope = 'tenant', scopeId } = {}) {
      const body = {
        scope,
        unit: 'micro-usd',
        hardLimit: Math.round(usd * 1e6),
        ...(scopeId === undefined ? {} : { scopeId }),
      } as const
      return (await api.owner.call(setBudget, { body })).id
    },
    async spent(id) {
      const { spent, held } = await api.owner.call(showBudget, { params: { id } })
      return { spent, held }
    },
    async [Symbol.asyncDispose]() {
      await api.close()
      await openaiServer[Symbol.asyncDispose]()
      await anthropicServer[Symbol.asyncDispose]()
      await use.close()
    },
  }
}
