import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openTestDatabase, type TestDatabase } from '../../../../test/support/databases.ts'
import { createRuleLanguage } from '../../../app/rule-language.ts'
import type { RunId, TaskId } from '../../../foundation/kernel/ids.ts'
import type { JsonObject } from '../../../foundation/kernel/json.ts'
import { defaultPermissions } from '../../../foundation/platform/config/agent-kinds.ts'
import { shapeHttpAgent } from '../../../foundation/platform/config/http-agent.ts'
import { createServer, type HttpServer } from '../../../foundation/platform/http/server.ts'
import { MemoryExchange } from '../../runners/memory-exchange.fixture.ts'
import { agentSpec, RunnerKit, registration } from '../../runners/runner-kit.fixture.ts'
import { RecordedCalls } from '../../tool-calls/recorded-calls.fixture.ts'
import { ScriptedPeople } from '../sessions/ask.fixture.ts'
import { describeAgentKind, everything, type KindUnderTest } from '../sessions/conformance.fixture.ts'
import { createSessionAdapter } from '../sessions/session-adapter.ts'
import { createHttpDriver } from './http-driver.ts'
import { httpAgentErrors } from './http-errors.ts'
import { ServiceCalls, type TaskStanding } from './service-calls.ts'
import { serviceCallRoutes } from './service-calls-routes.ts'
import { playScripts, type Respond, ServicePeer, sendJson, tell } from './service-peer.fixture.ts'

const language = createRuleLanguage((source, why) => httpAgentErrors['agent-expression'](`${source}: ${why}`))
const allow = ['127.0.0.1/32']
type Settings = Partial<Parameters<typeof shapeHttpAgent>[0]>

let use: TestDatabase
let calls: ServiceCalls
let server: HttpServer
let ourUrl = ''
/** How the runs part sees the task of a test; null: as its lease says. */
let standing: TaskStanding | null = null

beforeAll(async () => {
  use = await openTestDatabase('pglite')
  // No tasks are in this database: their leases are those of the exchange in memory.
  const leaseOf = async (): Promise<TaskStanding> =>
    standing ?? { live: true, fence: lastFence(), pool: 'p', ended: false }
  calls = new ServiceCalls({ database: use.db, leaseOf, pollMs: 1_000 })
  server = createServer({ routes: serviceCallRoutes(calls), authenticate: async () => null })
  ourUrl = (await server.listen()).url
})
afterAll(async () => {
  await server?.close({ graceMs: 100 })
  calls?.[Symbol.dispose]()
  await use?.close()
})

let fence = 0
const lastFence = () => fence

const told = new RecordedCalls()

function hosted({ kit, people }: KindUnderTest, settings: Settings, silenceMs: number | null = null) {
  const driver = createHttpDriver({
    pool: 'p',
    settings: shapeHttpAgent({ url: 'http://127.0.0.1:1/', allow, ...settings }),
    rules: { permissions: defaultPermissions, askMs: 1_500, silenceMs },
    ...{ language, calls, serverUrl: async () => ourUrl },
    readSecret: async (name) => `secret-of-${name}`,
  })
  const { artifacts } = kit
  const options = { artifacts, ask: people, cancelGraceMs: 500, toolCalls: told.open }
  const adapter = createSessionAdapter(driver, options)
  return {
    registration: { ...registration('http', 2), kind: 'http' },
    adapter: {
      ...adapter,
      run: (...[assignment, context]: Parameters<typeof adapter.run>) => {
        fence = assignment.fence
        return adapter.run(assignment, context)
      },
    },
    env: {},
  }
}

{
  let peer: ServicePeer
  describeAgentKind(
    'http',
    { ...everything, files: false, asks: false, processes: false, env: false },
    async (test) => {
      peer = await ServicePeer.start(playScripts())
      const poll = { url: '/status', every: 100, done: 'status.body.state == "done"' }
      const retry = { attempts: 1, wait: 10 }
      return hosted(test, { url: `${peer.url}/tasks`, callback: true, poll, retry, largest: 100_000 })
    },
    async () => peer?.[Symbol.asyncDispose](),
  )
}

describe('a service', () => {
  let kit: RunnerKit
  let peer: ServicePeer
  const people = new ScriptedPeople()
  beforeAll(async () => {
    kit = new RunnerKit()
    peer = await ServicePeer.start()
  })
  afterEach(async () => {
    peer.seen.length = 0
    people.questions.length = 0
    people.answer = null
    standing = null
    await use.reset()
  })
  afterAll(async () => {
    await kit.close()
    await peer[Symbol.asyncDispose]()
    expect(kit.errors).toEqual([])
  })

  function begin(respond: Respond, settings: Settings, more: Parameters<typeof agentSpec>[1] = {}, silence?: number) {
    peer.respond = respond
    const agent = hosted({ kit, people }, { url: `${peer.url}/tasks`, ...settings }, silence ?? null)
    const port = new MemoryExchange([agent.registration])
    const runner = kit.runner(port, [agent], { pollMs: 50, progressMs: 100 })
    const text = { text: { from: 'stdout' } } as const
    const id = port.enqueue(agentSpec('do it', { outputs: text, ...more }), {
      taskId: `tsk_${Math.random().toString(36).slice(2)}` as TaskId,
      runId: 'run_7' as RunId,
    })
    const taskId = () => (peer.seen[0]!.body as { id: string }).id
    const end = async (count = 1) => {
      await port.settled(count)
      await runner.close()
      const report = port.accepted.at(-1)!
      return { ...report, notes: kit.logs.text(report.taskId, 'stderr') }
    }
    return { id, port, runner, end, taskId }
  }
  const perform = (...args: Parameters<typeof begin>) => begin(...args).end()
  const answer =
    (body: JsonObject | string, status = 200): Respond =>
    (_, response) =>
      sendJson(response, status, body)
  const callbackOf = async () => {
    await expect.poll(() => peer.seen.length, { timeout: 15_000 }).toBeGreaterThan(0)
    return (peer.seen[0]!.body as { callback: { url: string } }).callback.url
  }

  it('is sent the task, and its answer is the output', async () => {
    const report = await perform(answer('all done'), {})
    expect(report).toMatchObject({ outcome: 'succeeded', output: { text: 'all done' } })
    const [call] = peer.seen
    expect(call).toMatchObject({
      method: 'POST',
      path: '/tasks',
      body: { prompt: 'do it', runId: 'run_7', attempt: 1 },
    })
    expect(call!.headers['idempotency-key']).toBe(`${report.taskId}.${report.fence}`)
  })

  it('is sent what the template of its pool says, with its secrets in headers alone, and none of them comes back', async () => {
    const report = await perform(
      (call, response) => sendJson(response, 200, { said: call.headers.authorization! }),
      {
        body: { input: { text: '${{ task.prompt }}!', options: '${{ config }}' } },
        headers: { 'X-Team': 'core ${{ secrets.TEAM }}' },
        auth: { bearer: 'TOKEN' },
        output: '/said',
      },
      { config: { model: 'large' } },
    )
    expect(peer.seen[0]!.body).toEqual({ input: { text: 'do it!', options: { model: 'large' } } })
    expect(peer.seen[0]!.headers).toMatchObject({
      'x-team': 'core secret-of-TEAM',
      authorization: 'Bearer secret-of-TOKEN',
    })
    expect(report.output).toEqual({ text: 'Bearer ***' })
  })

  it.each([
    [{ auth: { basic: 'PAIR' } }, 'authorization', `Basic ${Buffer.from('secret-of-PAIR').toString('base64')}`],
    [{ auth: { header: 'X-Key', secret: 'KEY' } }, 'x-key', 'secret-of-KEY'],
  ] as const)('%j', async (settings, header, value) => {
    await perform(answer('x'), settings as Settings)
    expect(peer.seen[0]!.headers[header]).toBe(value)
  })

  it.each([
    ['/result/0/text', { result: [{ text: 'yes' }] }, 'yes'],
    ['', { a: 1 }, '{"a":1}'],
    ['${{ status.body.n + 1 }}', { n: 2 }, '3'],
  ])('its output is taken by %j', async (output, body, text) => {
    expect((await perform(answer(body as JsonObject), { output })).output).toEqual({ text })
  })

  it('tells what it has spent', async () => {
    const body = { text: 'x', usage: { in: 5, out: 7, cost: 0.000012 }, model: 'm-1' }
    const usage = {
      ...{ inputTokens: '/usage/in', outputTokens: '/usage/out', model: '/model' },
      microUsd: '${{ status.body.usage.cost * 1000000.0 }}',
    }
    const { spending } = (await perform(answer(body), { output: '/text', usage })).usage
    expect(spending).toEqual({ inputTokens: 5, outputTokens: 7, microUsd: 12, model: 'm-1' })
  })

  it.each([
    [400, 'agent-refused', 'never'],
    [401, 'agent-auth', 'never'],
    [404, 'agent-refused', 'never'],
    [429, 'agent-limit', 'later'],
    [500, 'agent-failed', 'later'],
    [503, 'agent-unreachable', 'later'],
    [302, 'agent-protocol', 'later'],
  ])('that answers %i has failed: %s', async (status, code, retry) => {
    const settings = { message: '/error/message', retry: { attempts: 1 } }
    const report = await perform(answer({ error: { message: 'because' } }, status), settings)
    expect(report).toMatchObject({ outcome: 'failed', error: { code, retry } })
    expect(report.error!.message).toContain('because')
  })

  it('that calls its answer JSON, and breaks off in it, has answered nothing', async () => {
    const broken: Respond = (_, response) =>
      void response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end('{"text": "half a')
    const report = await perform(broken, { retry: { attempts: 1, wait: 10 } })
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'agent-protocol' } })
    expect(report.error!.message).toContain('called JSON and is none: {"text": "half a')
    const plain: Respond = (_, response) => void response.writeHead(200, { 'content-type': 'text/plain' }).end('{"text')
    expect(await perform(plain, {})).toMatchObject({ outcome: 'succeeded', output: { text: '{"text' } })
  })

  it('that answers 200 and means no has failed', async () => {
    const settings = { success: 'answer.body.ok', message: '/why' }
    const report = await perform(answer({ ok: false, why: 'the tests do not pass' }), settings)
    expect(report.error).toMatchObject({ code: 'agent-failed', message: 'the tests do not pass' })
  })

  it('is asked again where that may help, by its own Retry-After, under the same key', async () => {
    let tries = 0
    const report = await perform(
      (_, response) => {
        tries += 1
        if (tries === 1) return void response.destroy()
        if (tries === 2) return sendJson(response, 429, {}, { 'retry-after': '0' })
        sendJson(response, 200, 'at last')
      },
      { retry: { wait: 10 } },
    )
    expect(report).toMatchObject({ outcome: 'succeeded', output: { text: 'at last' } })
    expect(new Set(peer.seen.map(({ headers }) => headers['idempotency-key']))).toHaveLength(1)
  })

  it('whose Retry-After is longer than its pool waits is left to the next attempt', async () => {
    const settings = { retry: { longest: 1_000 } }
    const report = await perform((_, response) => sendJson(response, 429, {}, { 'retry-after': '3600' }), settings)
    expect(report.error).toMatchObject({ code: 'agent-limit', retry: 'later' })
    expect(peer.seen).toHaveLength(1)
  })

  it.each([
    ['too much', (_: unknown, response) => sendJson(response, 200, 'x'.repeat(5_000)), 'agent-protocol'],
    ['nothing in time', () => {}, 'agent-unreachable'],
    ['202 where nobody waits', (_: unknown, response) => sendJson(response, 202, {}), 'agent-protocol'],
    ['what has no output', (_: unknown, response) => sendJson(response, 200, {}), 'agent-protocol'],
  ] satisfies [string, Respond, string][])('that answers %s is told as such', async (_, respond, code) => {
    const settings = { largest: 4_000, request: 300, output: '/text', retry: { attempts: 1 } }
    expect((await perform(respond, settings)).error).toMatchObject({ code })
  })

  it.each([
    ['http://127.0.0.1:1/', []],
    ['http://10.0.0.7/', allow],
    ['http://localhost:1/', ['10.0.0.0/8']],
    ['https://169.254.169.254/latest/meta-data', []],
    ['https://[::1]/', []],
    ['http://example.org/', []],
    ['https://user:pw@example.org/', []],
  ])('at %s with %j allowed is never spoken to', async (url, networks) => {
    const report = await perform(answer('x'), { url, allow: networks as string[], retry: { attempts: 1 } })
    expect(report.error!.code).toMatch(/agent-address-refused|agent-unreachable/)
    if (!url.includes('example') && !url.includes('localhost'))
      expect(report.error).toMatchObject({ code: 'agent-address-refused', retry: 'never' })
    expect(peer.seen).toEqual([])
  })

  it('does not lead elsewhere by a redirect or by its answers', async () => {
    const away = (_: unknown, response: Parameters<Respond>[1]) =>
      sendJson(response, 307, {}, { location: 'http://169.254.169.254/' })
    expect((await perform(away, { retry: { attempts: 1 } })).error).toMatchObject({ code: 'agent-protocol' })
    const settings = { poll: { url: '/status_url', every: 100, done: 'true' }, retry: { attempts: 1 } }
    const elsewhere = answer({ status_url: 'http://127.0.0.1:1/other' }, 202)
    const report = await perform(elsewhere, { ...settings, auth: { bearer: 'TOKEN' } })
    expect(report.error).toMatchObject({ code: 'agent-address-refused' })
  })

  it('is asked how far it is until it is done', async () => {
    let looks = 0
    const respond: Respond = ({ method, path }, response) => {
      if (method === 'POST') return sendJson(response, 202, { id: 'a/b' })
      expect(path).toBe('/jobs/a%2Fb')
      looks += 1
      if (looks === 2) return sendJson(response, 503, {})
      sendJson(response, 200, looks < 4 ? { state: 'running', step: 'compiling' } : { state: 'done', text: 'built' })
    }
    const poll = { url: '/jobs/${{ answer.body.id }}', every: 100, done: 'status.body.state == "done"', note: '/step' }
    const report = await perform(respond, { poll, output: '/text' })
    expect(report).toMatchObject({ outcome: 'succeeded', output: { text: 'built' } })
    expect(looks).toBe(4)
  })

  it('that is asked and says that it has failed, has failed; one that forgets is not waited for', async () => {
    const poll = { url: '/j', every: 100, done: 'status.body.done', failed: 'status.body.error != ""' }
    const gone: Respond = ({ method }, response) =>
      method === 'POST' ? sendJson(response, 202, {}) : sendJson(response, 200, { done: false, error: 'no disk' })
    const report = await perform(gone, {
      poll: { ...poll, done: 'has(status.body.done) && status.body.done' },
      message: '/error',
    })
    expect(report.error).toMatchObject({ code: 'agent-failed', message: 'no disk' })
    const forgotten: Respond = ({ method }, response) => sendJson(response, method === 'POST' ? 202 : 404, {})
    const lost = await perform(forgotten, { poll: { url: '/j', every: 100, done: 'has(status.body.x)' } })
    expect(lost.error).toMatchObject({ code: 'agent-refused', retry: 'never' })
  })

  it('tells how it gets on, asks, and tells its end, once', async () => {
    people.answer = () => ({ text: 'the red one' })
    const { end } = begin(answer({}, 202), { callback: true })
    const url = await callbackOf()
    expect(await tell(url, { type: 'progress', id: 'p1', note: 'half way' })).toMatchObject({ status: 202 })
    expect(await tell(url, { type: 'progress', id: 'p1', note: 'half way' })).toMatchObject({
      body: { status: 'duplicate' },
    })
    await tell(url, { type: 'words', text: 'first ' })
    const tool = { type: 'tool', call: 't1', tool: 'crawl', kind: 'fetch' }
    await tell(url, { ...tool, id: 't1+', state: 'started', title: 'reads the catalogue' })
    await tell(url, { ...tool, id: 't1-', state: 'failed' })
    await tell(url, { ...tool, call: 't2', state: 'completed' })
    expect(await tell(url, { ...tool, state: 'nonsense' })).toMatchObject({ status: 400 })
    await tell(url, { type: 'question', id: 'q1', message: 'Which?' })
    const asked = async () => ((await (await fetch(url)).json()) as { answers: JsonObject[] }).answers
    await expect
      .poll(asked, { timeout: 15_000 })
      .toEqual([{ id: 'q1', choice: null, text: 'the red one', by: 'ada', expired: false }])
    const result = { type: 'result', output: 'then this', usage: { inputTokens: 3 } }
    expect(await tell(url, result)).toMatchObject({ status: 202, body: { status: 'accepted' } })
    const report = await end()
    expect(report).toMatchObject({ outcome: 'succeeded', output: { text: 'first then this' } })
    expect(report.usage.spending).toEqual({ inputTokens: 3 })
    expect(report.notes).toContain('half way')
    expect(told.of(report.taskId)).toEqual(['crawl failed: reads the catalogue', 'crawl completed: crawl'])
    expect(people.questions).toMatchObject([{ kind: 'question', message: 'Which?', freeText: true }])
    // The answer to its last word was lost: it may say it again, and nothing else.
    expect(await tell(url, result)).toMatchObject({ status: 202, body: { status: 'duplicate' } })
    expect(await tell(url, { type: 'result', output: 'another' })).toMatchObject({
      status: 409,
      body: { code: 'callback-closed', detail: expect.stringContaining('told its result already') },
    })
  })

  it('that fails says whether to try again', async () => {
    const { end } = begin(answer({}, 202), { callback: true })
    await tell(await callbackOf(), { type: 'failure', message: 'no such customer', retry: 'never' })
    expect((await end()).error).toEqual({ code: 'agent-failed', message: 'no such customer', retry: 'never' })
  })

  it('is told to stop when the attempt is cancelled, and hears why nobody waits any more', async () => {
    const respond: Respond = (_, response) => sendJson(response, 202, { id: 'j1' })
    const cancel = { url: '/jobs/${{ answer.body.id }}/stop', method: 'POST', body: { why: 'cancelled' } } as const
    const { end, port, taskId } = begin(respond, { callback: true, cancel })
    const url = await callbackOf()
    await tell(url, { type: 'progress' })
    await expect.poll(() => port.progress.length, { timeout: 15_000 }).toBeGreaterThan(0)
    port.cancel(taskId() as TaskId, 'never mind')
    const report = await end()
    expect(report.outcome).toBe('cancelled')
    expect(peer.seen.at(-1)).toMatchObject({ path: '/jobs/j1/stop', body: { why: 'cancelled' } })
    const late = await tell(url, { type: 'result', output: 'too late' })
    expect(late).toMatchObject({ status: 409, body: { detail: expect.stringContaining('cancelled') } })
    expect(await (await fetch(url)).json()).toMatchObject({ state: 'closed', reason: 'the attempt was cancelled' })
  })

  it('that goes quiet is ended after the silence of its pool', async () => {
    const report = await perform(answer({}, 202), { callback: true }, {}, 600)
    expect(report.error).toMatchObject({ code: 'agent-silent' })
  })

  it('goes on while this process is away: the next attempt takes its work over and asks for none again', async () => {
    const settings = { callback: true } as const
    const first = begin(answer({ id: 'j1' }, 202), settings)
    const url = await callbackOf()
    await tell(url, { type: 'words', text: 'one ' })
    await expect.poll(() => first.port.progress.length, { timeout: 15_000 }).toBeGreaterThan(0)
    // The process ends; the lease is lost, nobody has the task, and its service tells more.
    await first.runner.close()
    standing = { live: false, fence, pool: 'p', ended: false }
    expect(await tell(url, { type: 'words', text: 'two ' })).toMatchObject({ status: 202 })
    standing = null
    const agent = hosted({ kit, people }, { url: `${peer.url}/tasks`, ...settings })
    const port = new MemoryExchange([agent.registration])
    const runner = kit.runner(port, [agent], { pollMs: 50, progressMs: 100 })
    const text = { text: { from: 'stdout' } } as const
    port.enqueue(agentSpec('do it', { outputs: text }), { taskId: first.taskId() as TaskId, attempt: 2 })
    await expect.poll(() => port.leases, { timeout: 15_000 }).toBe(1)
    expect(await tell(url, { type: 'result', output: 'three' })).toMatchObject({ status: 202 })
    await expect.poll(() => port.reportOf(first.taskId() as TaskId), { timeout: 15_000 }).toBeTruthy()
    await runner.close()
    expect(kit.logs.text(first.taskId(), 'stderr')).toContain('goes on with the work')
    expect(port.reportOf(first.taskId() as TaskId)).toMatchObject({
      ...{ outcome: 'succeeded', output: { text: 'one two three' } },
    })
    expect(peer.seen.filter(({ body }) => (body as { id?: string })?.id === first.taskId())).toHaveLength(1)
  })

  it('that tells of a lost attempt is refused, with the reason', async () => {
    const { runner, taskId } = begin(answer({}, 202), { callback: true, resume: false })
    const url = await callbackOf()
    await tell(url, { type: 'progress' })
    for (const [now, why] of [
      [{ live: false, fence, pool: 'p', ended: false }, 'the attempt was lost'],
      [{ live: true, fence: fence + 1, pool: 'p', ended: false }, 'the attempt was lost'],
      [{ live: false, fence, pool: 'p', ended: true }, 'the task is over'],
    ] as const) {
      standing = now
      const late = await tell(url, { type: 'result', output: 'x' })
      expect(late).toMatchObject({
        status: 409,
        body: { code: 'callback-closed', detail: expect.stringContaining(why) },
      })
    }
    standing = null
    const next = { tenant: 'default', runId: 'run_7', taskId: taskId(), step: 's', item: null, attempt: 2, fence: 99 }
    const assignment = { ...next, agentId: 'a', spec: agentSpec('x'), repo: null } as never
    const call = await calls.open(assignment, { pool: 'p', resume: false, forMs: 60_000 })
    expect(call.accepted).toBe(null)
    const late = await tell(url, { type: 'result', output: 'x' })
    expect(late.body.detail).toContain('attempt 2 of the task has taken its place')
    await runner.close()
  })

  it('whose address is guessed, changed or of another is told nothing', async () => {
    const { runner } = begin(answer({}, 202), { callback: true })
    const url = await callbackOf()
    const at = url.lastIndexOf('.')
    for (const wrong of [`${url.slice(0, at)}.${'A'.repeat(43)}`, `${url}x`, url.replace(/lvs_[^.]*/, 'lvs_e30')])
      expect(await tell(wrong, { type: 'progress' })).toMatchObject({ status: 404, body: { code: 'callback-unknown' } })
    expect(await tell(url, { type: 'nonsense' })).toMatchObject({ status: 400 })
    expect(await tell(url, { type: 'words', text: 'x'.repeat(20_000) })).toMatchObject({ status: 400 })
    await runner.close()
  })
})
