import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { defaultPermissions } from '../../../foundation/platform/config/agent-kinds.ts'
import type { McpSettings, ToolServerSettings } from '../../../foundation/platform/config/tool-settings.ts'
import { unconfined } from '../../../foundation/platform/processes/index.ts'
import type { AttemptReport } from '../../runners/exchange-contract.ts'
import { MemoryExchange } from '../../runners/memory-exchange.fixture.ts'
import { agentSpec, RunnerKit, registration } from '../../runners/runner-kit.fixture.ts'
import { ScriptedPeople } from '../sessions/ask.fixture.ts'
import { describeAgentKind, everything, type KindUnderTest } from '../sessions/conformance.fixture.ts'
import { promptOf } from '../sessions/peer-script.fixture.ts'
import { createSessionAdapter } from '../sessions/session-adapter.ts'
import { createMcpDriver } from './mcp-driver.ts'
import { createServerSecrets } from './server-secrets.ts'

const peer = fileURLToPath(new URL('mcp-peer.fixture.ts', import.meta.url))
const server: ToolServerSettings = {
  ...{ name: 'peer', argv: [process.execPath, '--no-warnings', peer], url: null, headers: {}, secret: null, env: [] },
  ...{ usual: 'allow', tools: {}, callMs: 40_000, startMs: 30_000 },
}
const settings: McpSettings = { kind: 'mcp', server, tool: 'perform', argument: null }
const secrets = createServerSecrets({ environmentOf: () => ({}), read: async () => 'tool-s3cret-value' })

function hostedPeer({ kit, people }: KindUnderTest, given: McpSettings = settings, silenceMs: number | null = null) {
  const driver = createMcpDriver({
    settings: given,
    rules: { permissions: defaultPermissions, askMs: 1_500, silenceMs },
    processes: {
      supervisor: kit.supervisor,
      host: { bubblewrap: null, unshare: null, problem: 'not looked for' },
      rules: unconfined,
    },
    secrets,
  })
  return {
    registration: { ...registration('mcp', 1), kind: 'mcp' },
    adapter: createSessionAdapter(driver, { artifacts: kit.artifacts, ask: people, cancelGraceMs: 500 }),
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
  }
}

const traits = { ...everything, asks: false, usage: false, refuses: false, streams: false }
describeAgentKind('mcp', traits, (test) => hostedPeer(test))

describe('what else an MCP server may do as an agent', () => {
  let kit: RunnerKit
  const people = new ScriptedPeople()
  beforeAll(() => {
    kit = new RunnerKit()
  })
  beforeEach(() => {
    people.questions.length = 0
    people.answer = null
  })
  afterAll(async () => {
    await kit.close()
    expect(kit.errors).toEqual([])
  })

  let count = 0
  async function perform(
    prompt: string,
    config: Readonly<Record<string, string>> = {},
    more: Partial<Omit<McpSettings, 'server'>> & { server?: Partial<ToolServerSettings>; silence?: number } = {},
  ): Promise<AttemptReport & { readonly notes: string }> {
    const { silence = null, server: changed = {}, ...rest } = more
    const given: McpSettings = { ...settings, ...rest, server: { ...server, ...changed } }
    const hosted = hostedPeer({ kit, people }, given, silence)
    count += 1
    const named = { ...hosted, registration: { ...hosted.registration, agentId: `mcp-${count}` as never } }
    const port = new MemoryExchange([named.registration])
    kit.runner(port, [named], { pollMs: 50, id: `rnr_${count}` as never })
    const outputs = { text: { from: 'stdout' } } as const
    const taskId = `tsk_mcp${count}`
    port.enqueue(agentSpec(prompt, { outputs, config }), { taskId: taskId as never })
    await port.settled(1)
    return { ...port.accepted[0]!, notes: kit.logs.text(taskId, 'stderr') }
  }

  it('a step names the tool and its arguments, by their names or as JSON; what it gives is the output', async () => {
    const byName = await perform('add', { tool: 'add', a: '2', b: '40' })
    expect(byName).toMatchObject({ outcome: 'succeeded', output: { text: '42', sum: 42 } })
    const asJson = await perform('add', { tool: 'add', arguments: '{"a": 1, "b": 2}' })
    expect(asJson.output).toEqual({ text: '3', sum: 3 })
  })

  it.each([
    [{ tool: 'nothing' }, 'agent-refused', 'it has no tool nothing; it has: perform, add'],
    [{ tool: 'add', a: 'two', b: '1' }, 'agent-refused', '`config.a` is no JSON'],
    [{ tool: 'add', arguments: '[1]' }, 'agent-refused', 'no JSON object'],
    [{ tool: 'add', c: '1' }, 'agent-refused', 'add has no argument c; it has: a, b'],
    [{ tool: 'add', a: '"x"', b: '1' }, 'agent-failed', 'expected number'],
  ] as const)('%j is refused', async (config, code, message) => {
    const report = await perform('add', config)
    expect(report).toMatchObject({ outcome: 'failed', error: { code, message: expect.stringContaining(message) } })
    expect(report.error!.retry).toBe(code === 'agent-refused' ? 'never' : 'later')
  })

  it.each([
    ['mute', { server: { startMs: 700 } }, 'agent-unreachable', 'did not come up within 0.7 s'],
    ['die', {}, 'agent-unreachable', 'exit code 3'],
  ] as const)('%s %j fails as %s', async (fault, more, code, message) => {
    const argv = [process.execPath, '--no-warnings', peer, fault]
    const report = await perform('x', {}, { server: { argv, ...('server' in more ? more.server : {}) } })
    expect(report).toMatchObject({ outcome: 'failed', error: { code, message: expect.stringContaining(message) } })
  })

  it('a banner before the first message does no harm', async () => {
    const argv = [process.execPath, '--no-warnings', peer, 'banner']
    const report = await perform(promptOf({ say: 'x' }), {}, { server: { argv } })
    expect(report).toMatchObject({ outcome: 'succeeded', output: { text: 'x' } })
    expect(report.notes).toContain('Welcome to the tools!')
  })

  it('a call that takes too long, and a server that goes quiet, are told', async () => {
    const late = await perform(promptOf({ hang: true }), {}, { server: { callMs: 700 } })
    expect(late.error).toMatchObject({ code: 'agent-silent', message: 'perform did not answer within 0.7 s' })
    const quiet = await perform(promptOf({ hang: true }), {}, { silence: 1_500 })
    expect(quiet.error).toMatchObject({ code: 'agent-silent', message: 'it said nothing for 1.5 s' })
  })

  it('pictures are kept as artifacts', async () => {
    const { artifacts } = await perform('x', { tool: 'picture' })
    expect(artifacts).toMatchObject([{ name: 'answer-1.png', bytes: 6 }])
  })

  it('the pool decides which tools steps may call: allow, ask, off, and with which arguments', async () => {
    const tools = {
      add: { rule: 'allow', arguments: { a: '^[0-9]$' } },
      env: { rule: 'off', arguments: {} },
      picture: { rule: 'ask', arguments: {} },
    } as const
    const off = await perform('x', { tool: 'env', name: 'PATH' }, { server: { tools } })
    expect(off.error).toMatchObject({
      code: 'permission-denied',
      message: expect.stringContaining('does not allow env'),
    })
    const strange = await perform('x', { tool: 'add', a: '12', b: '1' }, { server: { tools } })
    expect(strange.error).toMatchObject({
      code: 'agent-refused',
      message: expect.stringContaining('a matches ^[0-9]$'),
    })
    const nobody = await perform('x', { tool: 'picture' }, { server: { tools } })
    expect(nobody.error).toMatchObject({ code: 'permission-denied' })
    people.answer = ({ choices }) => ({ choice: choices[0]!.id })
    const asked = await perform('x', { tool: 'picture' }, { server: { tools } })
    expect(asked.outcome).toBe('succeeded')
    expect(people.questions.at(-1)).toMatchObject({ message: expect.stringContaining('call picture of peer') })
  })

  it('its questions go to people: a choice, yes or no, words', async () => {
    const elicit = (field: object) => promptOf({ call: 'elicit', with: [JSON.stringify(field)] })
    people.answer = ({ choices }) => ({ choice: choices.length > 1 ? choices[0]!.id : null, text: 'seven' })
    const chosen = await perform(elicit({ type: 'string', enum: ['red', 'blue'] }))
    expect(chosen.output).toEqual({ text: '{"action":"accept","content":{"answer":"red"}}' })
    const yes = await perform(elicit({ type: 'boolean' }))
    expect(yes.output).toEqual({ text: '{"action":"accept","content":{"answer":true}}' })
    const words = await perform(elicit({ type: 'string' }))
    expect(words.output).toEqual({ text: '{"action":"accept","content":{"answer":"seven"}}' })
    people.answer = null
    const nobody = await perform(elicit({ type: 'string' }))
    expect(nobody.output).toEqual({ text: '{"action":"cancel"}' })
  })
})
