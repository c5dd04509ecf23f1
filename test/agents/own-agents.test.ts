import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listBudgets, listModelCalls, showRun, startRun } from '../../src/contract.ts'
import { makeRepository, rawGit } from '../../src/foundation/platform/git/git.fixture.ts'
import { ServicePeer, sendJson, tell } from '../../src/orchestration/agents/http/service-peer.fixture.ts'
import { startApi, type TestApi } from '../support/api.ts'
import { openTestDatabase, type TestDatabase } from '../support/databases.ts'
import { ModelServer, type SeenRequest } from '../support/model-server/index.ts'
import { scratchFolder } from '../support/run-cli.ts'

// Agents that are no program of somebody else, through the whole server. The model is scripted, all else is real.

const files = {
  'package.json': `${JSON.stringify({ name: 'sums', private: true, scripts: { test: 'node check.js' } })}\n`,
  'sum.js': 'module.exports = (a, b) => a - b\n',
  'check.js': "if (require('./sum.js')(2, 3) !== 5) { console.error('2 + 3 is not 5'); process.exit(1) }\n",
}

const flow = (pool: string) => `name: fix-${pool}
budget: { usd: 2 }
steps:
  implement:
    agent: { prompt: "Correct sum.js: it must add." }
    pool: ${pool}
    workspace: worktree
    timeout: 60s
    outputs: { said: stdout }
  quality:
    needs: implement
    base: \${{ steps.implement.outputs.commit }}
    gate: { checks: [tests, size] }
  merge:
    needs: quality
    merge: { commit: "\${{ steps.implement.outputs.commit }}", checks: [tests] }
outputs:
  said: \${{ steps.implement.outputs.said }}
  merged: \${{ steps.merge.outputs.merged }}
`

let use: TestDatabase
let provider: ModelServer
let service: ServicePeer
let api: TestApi
const scratch = scratchFolder('own-agents')

beforeAll(async () => {
  use = await openTestDatabase('pglite')
  provider = await ModelServer.start()
  service = await ServicePeer.start()
  const module = join(scratch.path, 'label.ts')
  writeFileSync(
    module,
    `export default async function label(task: { prompt: string }, { log }: { log(line: string): void }) {
  log('looks at it')
  return { label: task.prompt.includes('crash') ? 'bug' : 'wish' }
}
`,
  )
  const model = (wire: string) => ({ llm: { model: 'dear', wire, turns: 10 }, permissions: { execute: 'allow' } })
  const yaml = {
    rateLimits: { ip: 'none', failures: 'none', key: 'none', tenant: 'none', route: 'none' },
    agents: 1,
    prices: [{ model: 'dear', from: '2020-01-01', input: 10, output: 100 }],
    models: { accounts: { local: { provider: 'compatible', url: provider.url, models: ['dear'] } } },
    pools: {
      openai: model('openai'),
      anthropic: model('anthropic'),
      poor: { llm: { model: 'dear', budget: 0.0001 } },
      labeller: { function: { module, memory: '64MB' } },
      scanner: { http: { url: `${service.url}/scan`, allow: ['127.0.0.1/32'], callback: true } },
    },
  }
  api = await startApi(use.db, { yaml: JSON.stringify(yaml), work: true })
})

afterAll(async () => {
  await api?.close()
  await service?.[Symbol.asyncDispose]()
  await provider?.[Symbol.asyncDispose]()
  await use?.close()
  await scratch.remove()
})

async function perform(text: string, repo?: string) {
  const source = { text, fileName: 'flow.yaml' }
  const { id } = await api.owner.call(startRun, { body: { source, ...(repo === undefined ? {} : { repo }) } })
  return {
    id,
    ended: async () => {
      const run = async () => (await api.owner.call(showRun, { params: { id } })).run
      await expect.poll(async () => (await run()).state, { timeout: 60_000 }).toMatch(/succeeded|failed/)
      return run()
    },
  }
}

/** Looks, edits, runs the tests, and says so. */
function correct({ body, wire }: SeenRequest) {
  const said = body.messages.filter(({ role }: { role: string }) => role === 'assistant').length
  const usage = { input: 100 * (said + 1), output: 10 }
  const calls = [
    { name: 'read', input: { path: 'sum.js' } },
    { name: 'edit', input: { path: 'sum.js', old: 'a - b', new: 'a + b' } },
    { name: 'run', input: { argv: ['node', 'check.js'] } },
  ]
  const call = calls[said]
  return call === undefined ? { text: `corrected over ${wire}`, usage } : { text: '', tools: [call], usage }
}

describe('a model with tools', () => {
  test.each([
    ['openai', 'chat'],
    ['anthropic', 'chat'],
  ])(
    'asked in the form of %s edits, tests, passes the gate and is merged; every call is charged once',
    async (pool) => {
      const repository = join(scratch.path, pool)
      mkdirSync(repository)
      makeRepository(repository, files)
      provider.reset([{ reply: correct }])
      const { id, ended } = await perform(flow(pool), repository)
      expect(await ended()).toMatchObject({
        state: 'succeeded',
        outputs: { merged: true, said: 'corrected over chat' },
      })
      expect(rawGit(repository, 'show', 'main:sum.js')).toBe('module.exports = (a, b) => a + b')
      const { items: calls } = await api.owner.call(listModelCalls, { query: { run: id } })
      expect(calls.map(({ wire, microUsd }) => [wire, microUsd])).toEqual(
        [4_000 + 1_000, 3_000 + 1_000, 2_000 + 1_000, 1_000 + 1_000].map((cost) => [
          pool === 'openai' ? 'chat' : 'messages',
          cost,
        ]),
      )
      const { items: budgets } = await api.owner.call(listBudgets, { query: { scope: 'run', scopeId: id } })
      expect(budgets).toMatchObject([{ spent: 14_000, byEnforcement: { metered: 14_000 } }])
    },
  )

  test('stops within the budget of its pool', async () => {
    provider.reset([{ reply: { tools: [{ name: 'list', input: {} }], usage: { input: 10, output: 10 } } }])
    const text = 'name: poor\nsteps:\n  look: { agent: look about, pool: poor }\n'
    const { id, ended } = await perform(text)
    expect(await ended()).toMatchObject({ state: 'failed' })
    const { items: calls } = await api.owner.call(listModelCalls, { query: { run: id } })
    expect(calls.reduce((sum, { microUsd }) => sum + microUsd!, 0)).toBeLessThanOrEqual(100)
  })
})

test('a function labels what comes in', async () => {
  const text = `name: label
steps:
  look: { agent: it crashes when I save, pool: labeller, outputs: { said: json } }
outputs: { label: "\${{ steps.look.outputs.said.label }}" }
`
  const { ended } = await perform(text)
  expect(await ended()).toMatchObject({ state: 'succeeded', outputs: { label: 'bug' } })
})

test('a service tells its result at the address of this server', async () => {
  service.respond = ({ body }, response) => {
    sendJson(response, 202, { id: 'j' })
    const { callback } = body as { callback: { url: string } }
    expect(callback.url.startsWith(api.server.localUrl)).toBe(true)
    void tell(callback.url, { type: 'result', output: 'no findings' })
  }
  const text = `name: scan
steps:
  scan: { agent: scan it, pool: scanner, outputs: { said: stdout } }
outputs: { said: "\${{ steps.scan.outputs.said }}" }
`
  const { ended } = await perform(text)
  expect(await ended()).toMatchObject({ state: 'succeeded', outputs: { said: 'no findings' } })
  expect(api.errors).toEqual([])
})
