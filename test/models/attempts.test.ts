import { afterAll, beforeAll, expect, test } from 'vitest'
import { listBudgets, listModelCalls, listModelKeysEndpoint, runLogs, showRun, startRun } from '../../src/contract.ts'
import { startApi, type TestApi } from '../support/api.ts'
import { openTestDatabase, type TestDatabase } from '../support/databases.ts'
import { ModelServer } from '../support/model-server/index.ts'

let use: TestDatabase
let provider: ModelServer
let api: TestApi

/** An agent that asks each dialect once, by the variables that the official clients read, and prints its own key. */
const agent = `
const { OPENAI_BASE_URL, OPENAI_API_KEY, ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY } = process.env
const call = async (url, headers, body) => {
  const reply = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
  return reply.json()
}
const messages = [{ role: 'user', content: process.argv[1] }]
const chat = await call(OPENAI_BASE_URL + '/chat/completions', { authorization: 'Bearer ' + OPENAI_API_KEY }, { model: 'dear', messages })
const said = await call(ANTHROPIC_BASE_URL + '/v1/messages', { 'x-api-key': ANTHROPIC_API_KEY }, { model: 'dear', max_tokens: 50, messages })
const other = await call(OPENAI_BASE_URL + '/chat/completions', { authorization: 'Bearer ' + OPENAI_API_KEY }, { model: 'cheap', messages })
console.log('chat', chat.choices[0].message.content)
console.log('said', said.content[0].text)
console.log('other', other.error.code)
console.log('key', OPENAI_API_KEY)
`

beforeAll(async () => {
  use = await openTestDatabase('pglite')
  provider = await ModelServer.start({ script: [{ reply: { text: 'good day', usage: { input: 10, output: 2 } } }] })
  const yaml = `
rateLimits: { ip: none, failures: none, key: none, tenant: none, route: none }
agents: 1
prices: [{ model: dear, from: 2020-01-01, input: 10, output: 100 }, { model: cheap, from: 2020-01-01, input: 1, output: 1 }]
models:
  accounts:
    local: { provider: compatible, url: '${provider.url}', models: [dear, cheap] }
pools:
  asker: { command: [${JSON.stringify(process.execPath)}, --input-type=module, -e, ${JSON.stringify(agent)}, '{prompt}'], models: [dear] }
`
  api = await startApi(use.db, { yaml, work: true })
})

afterAll(async () => {
  await api.close()
  await provider[Symbol.asyncDispose]()
  await use.close()
})

test('an agent of a pool with models calls them on the account of its run, with a key that ends with its lease', async () => {
  const text = 'name: asks\nbudget: { usd: 2 }\nsteps:\n  ask:\n    agent: hello\n    pool: asker\n'
  const source = { text, fileName: 'asks.yaml' }
  const { id } = await api.owner.call(startRun, { body: { source } })
  await expect
    .poll(async () => (await api.owner.call(showRun, { params: { id } })).run.state, { timeout: 30_000 })
    .toMatch(/succeeded|failed/)
  let log = ''
  for await (const { text: part } of api.owner.lines(runLogs, { params: { id } })) log += part
  expect(log).toContain('chat good day')
  expect(log).toContain('said good day')
  expect(log).toContain('other model-not-found')
  expect(log).toContain('key ***')
  const { items: calls } = await api.owner.call(listModelCalls, { query: { run: id } })
  expect(calls.map(({ wire, microUsd, taskId }) => [wire, microUsd, taskId === null])).toEqual([
    ['messages', 300, false],
    ['chat', 300, false],
  ])
  const { items: budgets } = await api.owner.call(listBudgets, { query: { scope: 'run', scopeId: id } })
  expect(budgets).toMatchObject([{ spent: 600, byEnforcement: { metered: 600 } }])
  const { items: keys } = await api.owner.call(listModelKeysEndpoint, {})
  expect(keys).toMatchObject([{ runId: id, workflow: 'asks', models: ['dear'], attempt: 1 }])
  expect(keys[0]!.revokedAt).not.toBe(null)
})
