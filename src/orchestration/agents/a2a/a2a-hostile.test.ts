import type { lookup } from 'node:dns'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { TaskId } from '../../../foundation/kernel/ids.ts'
import { type A2aSettings, shapeA2a } from '../../../foundation/platform/config/a2a-settings.ts'
import { defaultPermissions } from '../../../foundation/platform/config/agent-kinds.ts'
import { createAddressGuard } from '../../../foundation/platform/network/address-guard.ts'
import { MemoryExchange } from '../../runners/memory-exchange.fixture.ts'
import { agentSpec, RunnerKit, registration } from '../../runners/runner-kit.fixture.ts'
import { RecordedCalls } from '../../tool-calls/recorded-calls.fixture.ts'
import { createSessionMemory } from '../acp/acp-resume.ts'
import { ScriptedPeople } from '../sessions/ask.fixture.ts'
import { promptOf } from '../sessions/peer-script.fixture.ts'
import { createSessionAdapter } from '../sessions/session-adapter.ts'
import { createA2aDriver } from './a2a-driver.ts'
import { a2aErrors } from './a2a-errors.ts'
import { type A2aPeer, startA2aPeer } from './a2a-peer.fixture.ts'
import type { PushPort } from './push-port.ts'

/** Whatever name is looked up: it is at the metadata service. */
const metadata = ((_: string, __: object, done: (error: null, found: object[]) => void) =>
  done(null, [{ address: '169.254.169.254', family: 4 }])) as unknown as typeof lookup
const refusals = { url: a2aErrors['a2a-url-refused'], address: a2aErrors['a2a-address-refused'] }
const guard = createAddressGuard(['127.0.0.1/32'], refusals, metadata)
const secret = 'pl4nted-s3cret-value'

describe('what else a remote agent may do', () => {
  let kit: RunnerKit
  let peer: A2aPeer
  const people = new ScriptedPeople()
  beforeAll(async () => {
    kit = new RunnerKit()
    peer = await startA2aPeer()
  })
  afterEach(() => {
    peer.faults.card = (card) => card
    peer.faults.refuse = new Set()
    peer.faults.answer = null
    peer.faults.token = null
    peer.requests.length = 0
    people.questions.length = 0
    people.answer = null
  })
  afterAll(async () => {
    await kit.close()
    await peer.close()
  })

  const calls = new RecordedCalls()
  let named = 0
  interface More extends Partial<A2aSettings> {
    readonly silence?: number
    readonly pushTo?: PushPort
  }
  /** Runs attempts of one task, one after another. */
  async function perform(more: More, ...attempts: string[]) {
    const { silence = null, pushTo = null, ...changes } = more
    const memory = createSessionMemory(`${kit.folder}/sessions`)
    const settings = { ...shapeA2a({ card: peer.url }), pollMs: 50, ...changes }
    const rules = { permissions: defaultPermissions, askMs: 1_000, silenceMs: silence }
    const driver = createA2aDriver({
      ...{ settings, rules, guard, memory, push: pushTo, breakPauseMs: 20 },
      readSecret: async () => secret,
    })
    named += 1
    const taskId = `tsk_a2a_${named}` as TaskId
    const hosted = {
      registration: { ...registration(`a2a-${named}`, 1), kind: 'a2a' },
      adapter: createSessionAdapter(driver, {
        artifacts: kit.artifacts,
        ask: people,
        cancelGraceMs: 500,
        toolCalls: calls.open,
      }),
      env: {},
    }
    const port = new MemoryExchange([hosted.registration])
    const runner = kit.runner(port, [hosted], { pollMs: 50 })
    for (const [index, prompt] of attempts.entries()) {
      port.enqueue(agentSpec(prompt, { outputs: { text: { from: 'stdout' } } }), { attempt: index + 1, taskId })
      await port.settled(index + 1)
    }
    await runner.close()
    const notes = kit.logs.text(taskId, 'stderr')
    const tools = calls.of(taskId)
    return { reports: port.accepted, report: port.accepted.at(-1)!, log: kit.logs.text(taskId), notes, tools }
  }

  it.each([true, false])(
    'tells of its tools in metadata and in parts of its kit, each once, streaming %s',
    async (streaming) => {
      const data = (adk_type: string, value: object) => ({ content: { $case: 'data', value }, metadata: { adk_type } })
      const kit = [
        data('function_call', { id: 'k1', name: 'lookup', args: { q: 'x' } }),
        data('function_response', { id: 'k1', name: 'lookup', response: { rows: 3 } }),
        data('function_call', { id: 'k2', name: 'send', args: {} }),
        data('function_response', { id: 'k2', response: { error: 'no' } }),
      ]
      const told = [
        { call: 'a', tool: 'search', kind: 'search', state: 'completed', title: `finds ${secret}` },
        { call: 'b', tool: 'edit', state: 'refused' },
        { call: 'c', tool: 'wait', state: 'started' },
        { call: 'd', tool: 'x', state: 'nonsense' },
      ]
      const { report, tools } = await perform(
        { streaming, auth: { header: 'authorization', secret: 'PEER', bearer: true } },
        promptOf(
          { call: 'tools', with: [JSON.stringify(told)] },
          { call: 'tools', with: [JSON.stringify(told)] },
          { call: 'part', with: ['used', JSON.stringify(kit)] },
          { say: 'done' },
        ),
      )
      expect(report).toMatchObject({ outcome: 'succeeded' })
      // What tells of a tool is no output.
      expect(JSON.stringify(report.output)).not.toContain('lookup')
      expect(tools.toSorted()).toEqual([
        'edit refused: edit',
        'lookup completed: lookup',
        'search completed: finds ***',
        'send failed: send',
        'wait abandoned: wait',
      ])
    },
  )

  it.each([
    ['http://169.254.169.254/latest/meta-data', 'a2a-url-refused'],
    ['http://localhost:1/', 'a2a-url-refused'],
    ['https://agent.example.org/', 'a2a-address-refused'],
    ['http://127.0.0.1:1/', 'agent-unreachable'],
  ])('a card at %s fails as %s', async (card, code) => {
    const { report } = await perform({ card }, promptOf({ say: 'x' }))
    expect(report).toMatchObject({ outcome: 'failed', error: { code } })
  })

  const iface = (url: string, more = {}) => [{ url, protocolBinding: 'JSONRPC', protocolVersion: '1.0', ...more }]
  it.each([
    ['lives at the metadata service', { supportedInterfaces: iface('http://169.254.169.254/rpc') }, 'another origin'],
    ['lives elsewhere', { supportedInterfaces: iface('https://example.org/rpc') }, 'another origin'],
    ['speaks an old version', { supportedInterfaces: iface('http://x/', { protocolVersion: '0.3' }) }, 'JSONRPC 0.3'],
    ['has no interface', { supportedInterfaces: [] }, 'supportedInterfaces'],
    ['requires an extension', { capabilities: { extensions: [{ uri: 'urn:x', required: true }] } }, 'urn:x'],
    ['is no card', { name: 7 }, 'name'],
  ])('a card that %s is refused', async (_, change, why) => {
    peer.faults.card = (card) => ({ ...card, ...change })
    const { report } = await perform({}, promptOf({ say: 'x' }))
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'agent-card-invalid', retry: 'never' } })
    expect(report.error!.message).toContain(why)
    expect(peer.requests.map(({ method }) => method)).toEqual(['card'])
  })

  it('what the agent knows us by goes to nobody whom the card names, and comes back from nobody', async () => {
    peer.faults.token = secret
    const auth = { header: 'authorization', secret: 'TOKEN', bearer: true }
    const halves = [{ say: secret.slice(0, 9) }, { say: `${secret.slice(9)} end` }, { fail: `it was ${secret}` }]
    const told = await perform({ auth }, promptOf(...halves), promptOf({ say: `my ${secret}` }))
    expect(told.reports[1]!.output).toEqual({ text: 'my ***' })
    expect(JSON.stringify(told)).not.toContain(secret)
    expect(told.reports[0]!.error!.message).toBe('it was ***')
  })

  it('one that knows us not is told apart', async () => {
    peer.faults.token = 'another'
    const { report } = await perform({}, promptOf({ say: 'x' }))
    expect(report.error).toMatchObject({ code: 'agent-auth', retry: 'never' })
  })

  it('a card that promises streams is not believed against the agent', async () => {
    peer.faults.refuse = new Set(['SendStreamingMessage'])
    const { report, notes } = await perform({}, promptOf({ say: 'all ' }, { say: 'the same' }))
    expect(report).toMatchObject({ outcome: 'succeeded', output: { text: 'all the same' } })
    expect(notes).toContain('does not stream')
  })

  it('a stream that is cut is taken up again, and nothing is said twice or lost', async () => {
    const steps = [{ say: 'one ' }, { call: 'cut', with: [] }, { say: 'two ' }, { say: 'three' }] as const
    const { report } = await perform({}, promptOf(...steps))
    expect(report).toMatchObject({ outcome: 'succeeded' })
    expect((report.output as { text: string }).text.replaceAll('\n', '')).toBe('one two three')
  })

  const rpc = (result: unknown) => (_: string, response: import('node:http').ServerResponse) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result }))
    return true
  }
  const task = (state: string, id = 't1') => ({ task: { id, contextId: 'c', status: { state } } })
  it.each([
    ['a task without a name', task('TASK_STATE_WORKING', '')],
    ['a state that nobody knows', task('TASK_STATE_DREAMING')],
    ['nothing', {}],
    ['another protocol', 'hello'],
  ])('an answer with %s breaks the protocol', async (_, result) => {
    peer.faults.answer = rpc(result)
    const { report } = await perform({ streaming: false, resume: false }, promptOf({ say: 'x' }))
    expect(report.error).toMatchObject({ code: 'agent-protocol', retry: 'later' })
  })

  it('a redirect is not followed', async () => {
    peer.faults.answer = (_, response) => {
      response.writeHead(307, { location: 'http://169.254.169.254/' }).end()
      return true
    }
    const { report } = await perform({}, promptOf({ say: 'x' }))
    expect(report.error).toMatchObject({ code: 'agent-protocol', message: expect.stringContaining('redirect') })
  })

  it.each([
    ['an event that never ends', 'data: ', 'x'.repeat(1_048_576), 'SSE line exceeded'],
    ['events that say nothing', '', `: ${'x'.repeat(1_048_573)}\n\n`, 'is longer than'],
  ])('a stream of %s is cut by its size', { timeout: 60_000 }, async (_, first, again, why) => {
    let sent = 0
    peer.faults.answer = (method, response) => {
      if (method !== 'SendStreamingMessage') return false
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(first)
      const more = () => {
        while (!response.destroyed) {
          sent += again.length
          if (!response.write(again)) break
        }
      }
      response.on('drain', more)
      more()
      return true
    }
    const { report } = await perform({ resume: false }, promptOf({ say: 'x' }))
    expect(report.error).toMatchObject({ code: 'agent-protocol', message: expect.stringContaining(why) })
    expect(sent).toBeLessThan(160 * 1_048_576)
  })

  it('one that goes quiet is ended after the silence of its pool, and its task is cancelled', async () => {
    const { report } = await perform({ silence: 700 }, promptOf({ say: 'x' }, { hang: true }))
    expect(report.error).toMatchObject({ code: 'agent-silent' })
    expect(peer.requests.map(({ method }) => method)).toContain('CancelTask')
  })

  it('values and files come out, under names that lead nowhere', async () => {
    const parts = [
      { raw: 'content', filename: '../../etc/passwd' },
      { content: { $case: 'data', value: { score: 0.5 } } },
      { content: { $case: 'url', value: 'http://169.254.169.254/x' }, filename: 'meta.txt' },
    ]
    const { report, notes } = await perform({}, promptOf({ call: 'part', with: ['report', JSON.stringify(parts)] }))
    expect(report).toMatchObject({ outcome: 'succeeded', output: { report: { score: 0.5 } } })
    expect(report.artifacts.map(({ name }) => name)).toEqual(['passwd'])
    expect(notes).toContain('meta.txt at http://169.254.169.254/x is not kept')
  })

  it('asks in words are answered in words', async () => {
    people.answer = () => ({ text: 'blue' })
    const { report } = await perform({}, promptOf({ call: 'ask', with: ['Which colour?'] }))
    expect(report.output).toEqual({ text: 'blue' })
    expect(people.questions[0]).toMatchObject({ kind: 'question', message: 'Which colour?', freeText: true })
  })

  it('one that wants its user to sign in cannot go on', async () => {
    const { report } = await perform({}, promptOf({ call: 'sign-in', with: [] }, { hang: true }))
    expect(report.error).toMatchObject({ code: 'agent-auth', message: 'sign in first' })
  })

  it('a further attempt takes up the remote task of the one before, and its words', async () => {
    // The way back is gone while the first attempt lasts.
    const gone = promptOf({ say: 'begun ' }, { call: 'cut', with: [] }, { call: 'gate', with: [] }, { say: 'done' })
    let asked = 0
    peer.faults.answer = (method, response) => {
      if (method === 'SendStreamingMessage') asked += 1
      if (method !== 'GetTask' && method !== 'SubscribeToTask') return false
      if (asked > 0 && peer.requests.filter((each) => each.method === 'card').length > 1) {
        peer.open()
        return false
      }
      response.destroy()
      return true
    }
    const { reports, notes } = await perform({}, gone, promptOf({ say: 'never sent' }))
    expect(reports.map(({ outcome }) => outcome)).toEqual(['failed', 'succeeded'])
    expect(reports[0]!.error).toMatchObject({ code: 'agent-unreachable', retry: 'later' })
    expect(reports[1]!.output).toEqual({ text: 'begun \nopened\ndone' })
    expect(notes).toContain('takes up the remote task')
    expect(asked).toBe(1)
  })

  it('what a runner that ends leaves goes on, and the next attempt has it', async () => {
    const memory = createSessionMemory(`${kit.folder}/sessions`)
    const settings = { ...shapeA2a({ card: peer.url }), pollMs: 50 }
    const rules = { permissions: defaultPermissions, askMs: 1_000, silenceMs: null }
    const readSecret = async () => secret
    const driver = createA2aDriver({ settings, rules, guard, memory, push: null, readSecret })
    const hosted = {
      registration: { ...registration('a2a-left', 1), kind: 'a2a' },
      adapter: createSessionAdapter(driver, { artifacts: kit.artifacts, ask: people, cancelGraceMs: 500 }),
      env: {},
    }
    const taskId = 'tsk_a2a_left' as TaskId
    const spec = agentSpec(promptOf({ say: 'begun ' }, { call: 'gate', with: [] }), {
      outputs: { text: { from: 'stdout' } },
    })
    const first = new MemoryExchange([hosted.registration])
    const runner = kit.runner(first, [hosted], { pollMs: 50 })
    first.enqueue(spec, { attempt: 1, taskId })
    await expect.poll(() => kit.logs.text(taskId), { timeout: 20_000 }).toContain('begun')
    await runner.close()
    expect(first.accepted).toEqual([])
    peer.open()
    const second = new MemoryExchange([hosted.registration])
    const next = kit.runner(second, [hosted], { pollMs: 50 })
    second.enqueue(spec, { attempt: 2, taskId })
    await second.settled(1)
    await next.close()
    expect(second.accepted[0]).toMatchObject({ outcome: 'succeeded', output: { text: 'begun opened' } })
    const methods = peer.requests.map(({ method }) => method)
    expect(methods.filter((method) => method === 'SendStreamingMessage')).toHaveLength(1)
    expect(methods).not.toContain('CancelTask')
  })

  it('is told where news can be sent, and looks when they come', async () => {
    let news: (() => void) | null = null
    let closed = false
    const pushTo: PushPort = {
      reachable: true,
      open: (_, onNews) => {
        news = onNews
        return { url: `${peer.url}/a2a/notifications`, token: 'a.b.c', close: () => (closed = true) }
      },
    }
    const prompt = promptOf({ call: 'gate', with: [] }, { say: '!' })
    const done = perform({ streaming: false, push: true, pushTo }, prompt)
    await expect.poll(() => peer.requests.map(({ method }) => method), { timeout: 10_000 }).toContain('SendMessage')
    peer.open()
    // Without news the next look is half a minute away.
    const waking = setInterval(() => news?.(), 50)
    const { report } = await done.finally(() => clearInterval(waking))
    expect(report).toMatchObject({ outcome: 'succeeded', output: { text: 'opened\n!' } })
    expect(closed).toBe(true)
  })
})
