import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createJoinedServers } from '../src/cli/join/joined-servers.ts'
import { createClient } from '../src/client/index.ts'
import {
  listBudgets,
  listModelCalls,
  listQuestions,
  runToolCalls,
  runToolUse,
  showRun,
  startRun,
} from '../src/contract.ts'
import { isAppError } from '../src/foundation/kernel/errors.ts'
import { type A2aPeer, startA2aPeer } from '../src/orchestration/agents/a2a/a2a-peer.fixture.ts'
import { testContainers } from '../src/orchestration/agents/container/containers.fixture.ts'
import { ServicePeer, sendJson, tell } from '../src/orchestration/agents/http/service-peer.fixture.ts'
import { startApi, type TestApi } from './support/api.ts'
import { openTestDatabase, type TestDatabase } from './support/databases.ts'
import { type JoinedRunner, joinRunner, runnerKey } from './support/joined.ts'
import { ModelServer } from './support/model-server/index.ts'
import { scratchFolder } from './support/run-cli.ts'

// Every kind of agent on a runner that knows its server by an address and a key alone. The server has no pools of its own.

const source = (path: string) => fileURLToPath(new URL(`../src/orchestration/agents/${path}`, import.meta.url))
const scratch = scratchFolder('join-kinds')
const containers = testContainers()
const boxed = 'reason' in containers ? {} : { boxed: poolInContainer(containers.image) }

let use: TestDatabase
let provider: ModelServer
let service: ServicePeer
let friend: A2aPeer
let api: TestApi
let runner: JoinedRunner

function poolInContainer(image: string) {
  return { container: { image, pull: 'never' }, command: ['sh', '-c', 'cat; echo; id -u'], prompt: 'stdin' }
}

beforeAll(async () => {
  use = await openTestDatabase('pglite')
  provider = await ModelServer.start()
  service = await ServicePeer.start()
  friend = await startA2aPeer()
  const limits = { ip: 'none', failures: 'none', key: 'none', tenant: 'none', route: 'none', runners: 'none' }
  const yaml = {
    rateLimits: limits,
    agents: 1,
    prices: [{ model: 'dear', from: '2020-01-01', input: 10, output: 100 }],
    models: { accounts: { local: { provider: 'compatible', url: provider.url, models: ['dear'] } } },
  }
  api = await startApi(use.db, { yaml: JSON.stringify(yaml), work: true })
  const there = join(scratch.path, 'there')
  mkdirSync(there)
  const module = join(there, 'label.ts')
  writeFileSync(
    module,
    "export default async (task: { prompt: string }) => ({ words: task.prompt.split(' ').length })\n",
  )
  const pools = {
    scanner: { http: { url: `${service.url}/scan`, allow: ['127.0.0.1/32'], callback: true } },
    labeller: { function: { module, memory: '64MB' } },
    model: { llm: { model: 'dear', turns: 5 } },
    friend: { a2a: { card: `${friend.url}/.well-known/agent-card.json` } },
    tool: { mcp: { tool: 'perform' }, command: [process.execPath, source('mcp/mcp-peer.fixture.ts')] },
    session: { acp: {}, command: [process.execPath, source('acp/acp-peer.fixture.ts')] },
    program: { command: ['cat'], prompt: 'stdin' },
    ...boxed,
  }
  const conf = 'reason' in containers ? undefined : containers.variable('CONTAINERS_CONF')
  const config = { agents: 1, a2a: { allow: ['127.0.0.1/32'] }, pools }
  runner = await joinRunner(api, there, config, { env: conf === undefined ? {} : { CONTAINERS_CONF: conf } })
})

afterAll(async () => {
  await runner?.[Symbol.asyncDispose]()
  await api?.close()
  await service?.[Symbol.asyncDispose]()
  await friend?.close()
  await provider?.[Symbol.asyncDispose]()
  if (!('reason' in containers)) containers.remove()
  await use?.close()
  await scratch.remove()
  expect(runner.errors).toEqual([])
})

async function begin(pool: string, prompt: string, outputs = 'stdout') {
  const step = { agent: { prompt }, pool, timeout: '60s', outputs: { said: outputs } }
  const budget = { usd: 2 }
  const text = JSON.stringify({
    name: pool,
    budget,
    steps: { it: step },
    outputs: { said: `\${{ steps.it.outputs.said }}` },
  })
  const { id } = await api.owner.call(startRun, { body: { source: { text, fileName: 'flow.yaml' } } })
  const show = () => api.owner.call(showRun, { params: { id } })
  return {
    id,
    async ended() {
      await expect.poll(async () => (await show()).run.state, { timeout: 60_000 }).toMatch(/succeeded|failed/)
      const { run, tasks } = await show()
      expect(tasks[0]!.agentId).toMatch(new RegExp(`^${runner.worker.id}\\.`))
      return { state: run.state, said: (run.outputs as Record<string, unknown> | null)?.said, error: tasks[0]!.error }
    },
  }
}

const succeeded = (said: unknown) => ({ state: 'succeeded', said, error: null })
const script = (...steps: object[]) => JSON.stringify(steps)

test('a program, a session, a tool of a server and a remote agent do their work there', async () => {
  const runs = await Promise.all([
    begin('program', 'hello'),
    begin('session', script({ say: 'from a session' })),
    begin('tool', script({ say: 'from a tool' })),
    begin('friend', script({ say: 'from a friend' })),
  ])
  const [program, session, tool, remote] = await Promise.all(runs.map((run) => run.ended()))
  expect(program).toEqual(succeeded('hello'))
  expect(session).toEqual(succeeded('from a session'))
  expect(tool).toEqual(succeeded('from a tool'))
  expect(remote).toEqual(succeeded('from a friend'))
})

test('the tool calls of a session there are events of its run, and listed, as those of a session here', async () => {
  const { id, ended } = await begin(
    'session',
    script({ ask: 'look around', kind: 'read' }, { ask: 'another mode', kind: 'switch_mode' }),
  )
  expect(await ended()).toMatchObject({ state: 'succeeded' })
  const { items } = await api.owner.call(runToolCalls, { params: { id }, query: {} })
  expect(items.toReversed()).toMatchObject([
    { runId: id, step: 'it', attempt: 1, source: 'acp', kind: 'read', title: 'look around', state: 'completed' },
    { runId: id, step: 'it', attempt: 1, source: 'acp', kind: 'switch_mode', title: 'another mode', state: 'refused' },
  ])
  const told = await use.owner<{ type: string; data: { title: string; state?: string; step: string } }>(
    `select type, data from events where run_id = $1 and type like 'tool-call.%' order by seq`,
    [id],
  )
  const byCall = Map.groupBy(told, ({ data }) => data.title)
  expect([...byCall].map(([title, events]) => [title, ...events.map(({ type }) => type)])).toEqual([
    ['look around', 'tool-call.started', 'tool-call.ended'],
    ['another mode', 'tool-call.started', 'tool-call.ended'],
  ])
  expect(told.filter(({ type }) => type === 'tool-call.ended').map(({ data }) => [data.step, data.state])).toEqual([
    ['it', 'completed'],
    ['it', 'refused'],
  ])
  const uses = await api.owner.call(runToolUse, { params: { id } })
  expect(uses.items.map(({ calls, refused }) => [calls, refused]).sort()).toEqual([
    [1, 0],
    [1, 1],
  ])
})

test.skipIf('reason' in containers)('a container is started there', async () => {
  expect(await (await begin('boxed', 'boxed in')).ended()).toMatchObject({
    state: 'succeeded',
    said: expect.stringContaining('boxed in'),
  })
})

test('a function is called there', async () => {
  expect(await (await begin('labeller', 'one two three', 'json')).ended()).toEqual(succeeded({ words: 3 }))
})

test('a model answers through the gateway of the server, which charges for it', async () => {
  provider.reset([{ reply: { text: 'well said', usage: { input: 100, output: 10 } } }])
  const { id, ended } = await begin('model', 'say something')
  expect(await ended()).toEqual(succeeded('well said'))
  const { items } = await api.owner.call(listModelCalls, { query: { run: id } })
  expect(items).toMatchObject([{ microUsd: 2_000 }])
  // Told by the agent as well, and charged once.
  const { items: budgets } = await api.owner.call(listBudgets, { query: { scope: 'run', scopeId: id } })
  expect(budgets).toMatchObject([{ spent: 2_000, byEnforcement: { metered: 2_000 } }])
  const rows = await use.owner(`select task_id from context_use`)
  expect(rows).toEqual([])
})

test('a service tells how it gets on at the address of the server, and asks people', async () => {
  let url = ''
  service.respond = ({ body }, response) => {
    sendJson(response, 202, { id: 'job' })
    url = (body as { callback: { url: string } }).callback.url
    void tell(url, { type: 'question', id: 'q', message: 'which one?', choices: [{ id: 'a', label: 'A' }] })
  }
  const { id, ended } = await begin('scanner', 'scan it')
  const asked = async () => (await api.owner.call(listQuestions, { query: { run: id } })).items
  await expect.poll(asked, { timeout: 30_000 }).toHaveLength(1)
  expect(url.startsWith(api.server.localUrl)).toBe(true)
  const [question] = await asked()
  expect(question).toMatchObject({ message: 'which one?' })
  await tell(url, { type: 'progress', note: 'goes on without an answer' })
  expect(await tell(url, { type: 'result', output: 'no findings' })).toMatchObject({ status: 202 })
  expect(await ended()).toEqual(succeeded('no findings'))
  expect(await tell(url, { type: 'progress', note: 'too late' })).toMatchObject({ status: 409 })
})

test('what it keeps under a lease is kept for leases that it holds, and its key opens nothing else', async () => {
  const key = await runnerKey(api)
  const other = createJoinedServers({ urls: [api.server.localUrl], key, onError: () => {} })
  service.respond = (_, response) => sendJson(response, 202, { id: 'job' })
  const { id, ended } = await begin('scanner', 'for long')
  const running = async () => (await api.owner.call(showRun, { params: { id } })).tasks[0]!
  await expect.poll(async () => (await running()).state, { timeout: 30_000 }).toBe('running')
  const [lease] = await use.owner<{ fence: number }>(`select fence::int from tasks where run_id = '${id}'`)
  const { runner: elsewhere } = await other.register('elsewhere', 1, [
    { name: 'a', pool: 'other', kind: 'command', capabilities: [], labels: {}, slots: 1, weight: 1 },
  ])
  const context = { used: 1, limit: 2, share: 0.5, growth: null, turnsLeft: null, turns: 1, summaries: 0 }
  const refused = (call: Promise<unknown>) =>
    expect(call).rejects.toSatisfy((error) => isAppError(error, 'lease-not-held'))
  const { signal } = new AbortController()
  await refused(other.keepContext(elsewhere, lease!.fence, { ...context, level: 'ok', change: null }))
  await refused(other.expectContext(elsewhere, lease!.fence))
  await refused(other.openCall(elsewhere, lease!.fence, { resume: true, forMs: 1 }))
  await refused(other.callMessages(elsewhere, lease!.fence, 0, signal))
  await refused(other.closeCall(elsewhere, lease!.fence, 'no'))
  await other.remove(elsewhere)
  const weak = createClient({ url: api.server.localUrl, token: key })
  await expect(weak.call(showRun, { params: { id } })).rejects.toSatisfy((error) => isAppError(error, 'forbidden'))
  const url = (service.seen.at(-1)!.body as { callback: { url: string } }).callback.url
  await tell(url, { type: 'failure', message: 'no more', retry: 'never' })
  expect(await ended()).toMatchObject({ state: 'failed', error: { message: expect.stringContaining('no more') } })
})
