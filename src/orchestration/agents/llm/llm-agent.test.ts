import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ModelServer, type Reply, type Rule } from '../../../../test/support/model-server/index.ts'
import type { TokenUse } from '../../../foundation/kernel/model-price.ts'
import { defaultPermissions, type ToolPermissions } from '../../../foundation/platform/config/agent-kinds.ts'
import { type LlmAgentSettings, shapeLlmAgent } from '../../../foundation/platform/config/llm-agent.ts'
import { makeRepository, rawGit } from '../../../foundation/platform/git/git.fixture.ts'
import { unconfined } from '../../../foundation/platform/processes/index.ts'
import { createGrowthMeter, type GrowthState } from '../../context-growth/growth-meter.ts'
import { MemoryExchange } from '../../runners/memory-exchange.fixture.ts'
import { agentSpec, RunnerKit, registration } from '../../runners/runner-kit.fixture.ts'
import { RecordedCalls } from '../../tool-calls/recorded-calls.fixture.ts'
import { ScriptedPeople } from '../sessions/ask.fixture.ts'
import { describeAgentKind, everything, type KindUnderTest } from '../sessions/conformance.fixture.ts'
import { createSessionAdapter } from '../sessions/session-adapter.ts'
import type { OpenToolGrants } from '../sessions/tool-grants.ts'
import { createLlmDriver } from './llm-driver.ts'
import { startScriptedModel } from './scripted-model.fixture.ts'

const settings = shapeLlmAgent({ model: 'm' })
/** A micro-dollar for each token read, ten for each written. */
const costOf = (_: string, use: TokenUse) => (use.inputTokens ?? 0) + 10 * (use.outputTokens ?? 0)
const free: ToolPermissions = { ...defaultPermissions, kinds: { ...defaultPermissions.kinds, execute: 'allow' } }

interface Given {
  readonly settings?: Partial<LlmAgentSettings>
  readonly permissions?: ToolPermissions
  readonly silenceMs?: number
  readonly states?: GrowthState[]
  readonly tools?: OpenToolGrants
  readonly calls?: RecordedCalls
  readonly costOf?: typeof costOf | (() => null)
}

function hosted({ kit, people }: KindUnderTest, server: ModelServer, given: Given = {}) {
  const { states = [] } = given
  const driver = createLlmDriver({
    settings: { ...settings, ...given.settings },
    rules: { permissions: given.permissions ?? defaultPermissions, askMs: 1_500, silenceMs: given.silenceMs ?? null },
    processes: {
      supervisor: kit.supervisor,
      host: { bubblewrap: null, unshare: null, problem: 'not looked for' },
      rules: unconfined,
    },
    costOf: given.costOf ?? costOf,
    meter: () => createGrowthMeter({ onState: (state) => void states.push(state), onClose: async () => {} }),
    ...(given.tools === undefined ? {} : { tools: given.tools }),
    retryMs: 10,
  })
  const env = { OPENAI_BASE_URL: `${server.url}/v1`, OPENAI_API_KEY: 'lvm_key', ANTHROPIC_BASE_URL: server.url }
  return {
    registration: { ...registration('llm', 1), kind: 'llm' },
    adapter: createSessionAdapter(driver, {
      ...{ artifacts: kit.artifacts, ask: people, cancelGraceMs: 500, toolCalls: given.calls?.open },
    }),
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...env, ANTHROPIC_API_KEY: 'lvm_key' },
    masked: ['lvm_key'],
  }
}

for (const wire of ['openai', 'anthropic'] as const) {
  let server: ModelServer
  describeAgentKind(
    `llm (${wire})`,
    // What a model can send that is no message: below.
    { ...everything, protocol: false },
    async (test) => {
      server = await startScriptedModel()
      return hosted(test, server, { settings: { wire }, permissions: { ...free, tools: { search: 'ask' } } })
    },
    async () => server?.[Symbol.asyncDispose](),
  )
}

describe('a model at work', () => {
  let server: ModelServer
  let kit: RunnerKit
  let repository: string
  const people = new ScriptedPeople()
  beforeAll(async () => {
    server = await ModelServer.start()
    kit = new RunnerKit()
    repository = join(kit.folder, 'repository')
    makeRepository(repository, { 'sum.js': 'a - b\n', 'lib/deep/x.txt': 'one\ntwo\nthree\n' })
  })
  afterEach(() => {
    server.reset()
    people.answer = null
    people.questions.length = 0
  })
  afterAll(async () => {
    await kit.close()
    await server[Symbol.asyncDispose]()
    expect(kit.errors).toEqual([])
  })

  async function perform(rules: readonly Rule[], given: Given = {}, more: Parameters<typeof agentSpec>[1] = {}) {
    server.reset(rules)
    const agent = hosted({ kit, people }, server, { permissions: free, ...given })
    const port = new MemoryExchange([agent.registration])
    const runner = kit.runner(port, [agent], { pollMs: 50 })
    const spec = agentSpec('the task', { workspace: 'worktree', outputs: { text: { from: 'stdout' } }, ...more })
    const id = port.enqueue(spec, { repo: { path: repository, commit: null } })
    await port.settled(1)
    await runner.close()
    return { ...port.reportOf(id)!, log: kit.logs.text(id), notes: kit.logs.text(id, 'stderr') }
  }
  /** Calls tools one after the other, then says what they gave, each on lines of its own. */
  const calling = (...tools: { name: string; input: object }[]): Rule[] => [
    ...tools.map((tool): Rule => ({ times: 1, reply: { tools: [tool] } })),
    {
      reply: ({ body }) => {
        const results = body.messages.filter(({ role }: { role: string }) => role === 'tool')
        return { text: results.map(({ content }: { content: string }) => content).join('\n---\n') }
      },
    },
  ]
  const textOf = ({ output }: { output: unknown }) => (output as { text: string }).text
  const answers = async (...tools: { name: string; input: object }[]) =>
    textOf(await perform(calling(...tools))).split('\n---\n')

  it('reads, lists and searches files of its worktree', async () => {
    const [whole, part, list, found, none] = await answers(
      { name: 'read', input: { path: 'sum.js' } },
      { name: 'read', input: { path: 'lib/deep/x.txt', from: 2, lines: 1 } },
      { name: 'list', input: { depth: 3 } },
      { name: 'search', input: { pattern: 't[wh]', names: '*.txt' } },
      { name: 'search', input: { pattern: 'nowhere' } },
    )
    expect([whole, part]).toEqual(['a - b\n', 'two'])
    expect(list!.split('\n')).toEqual(['lib/', 'lib/deep/', 'lib/deep/x.txt', 'sum.js'])
    expect(found).toBe('lib/deep/x.txt:2:two\nlib/deep/x.txt:3:three\n')
    expect(none).toBe('nothing found')
  })

  it('tells of its calls: what they were about, and what came of them', async () => {
    const calls = new RecordedCalls()
    const { taskId } = await perform(
      calling(
        { name: 'write', input: { path: 'a.txt', content: 'words that are nobody else' } },
        { name: 'read', input: { path: 'none.txt' } },
        { name: 'run', input: { argv: ['true'] } },
        { name: 'fly', input: {} },
      ),
      { calls, permissions: { ...free, tools: { run: 'off' } } },
    )
    expect(calls.of(taskId).map((line) => line.split(':')[0])).toEqual([
      'write completed',
      'read failed',
      'run refused',
      'fly refused',
    ])
    expect(JSON.stringify(calls.notes)).not.toContain('words that are nobody')
  })

  it('writes and edits them, where the text to replace is found once', async () => {
    const [written, edited, missing, twice, all, read] = await answers(
      { name: 'write', input: { path: 'new/a.txt', content: 'x y x\n' } },
      { name: 'edit', input: { path: 'new/a.txt', old: 'y', new: '$&' } },
      { name: 'edit', input: { path: 'new/a.txt', old: 'z', new: 'y' } },
      { name: 'edit', input: { path: 'new/a.txt', old: 'x', new: 'w' } },
      { name: 'edit', input: { path: 'new/a.txt', old: 'x', new: 'w', all: true } },
      { name: 'read', input: { path: 'new/a.txt' } },
    )
    expect([written, edited]).toEqual(['wrote 6 bytes to new/a.txt', 'replaced 1 place in new/a.txt'])
    expect(missing).toContain('is not in new/a.txt')
    expect(twice).toContain('stands 2 times')
    expect([all, read]).toEqual(['replaced 2 places in new/a.txt', 'w $& w'])
  })

  it('gets nowhere else: not by paths, not by links, not into git', async () => {
    symlinkSync('/etc', join(repository, 'out'))
    const said = await answers(
      ...['/etc/passwd', '../../x', 'out/passwd', '.git/config', '.git'].map((path) => ({
        name: 'read',
        input: { path },
      })),
      { name: 'write', input: { path: '/tmp/planted-by-a-model', content: 'x' } },
      { name: 'list', input: { path: '..' } },
      { name: 'search', input: { pattern: 'root', path: '/etc' } },
      { name: 'run', input: { argv: ['true'], folder: '..' } },
    )
    for (const text of said) expect(text).toMatch(/error: .*(outside the worktree|belongs to git|no such file)/)
  })

  it('is told what is wrong with a call, and goes on', async () => {
    const said = await answers(
      { name: 'read', input: { path: 'missing.txt' } },
      { name: 'read', input: { file: 'sum.js' } },
      { name: 'read', input: { path: 'lib' } },
      { name: 'fly', input: {} },
      { name: 'run', input: { argv: ['no-such-program'] } },
    )
    expect(said[0]).toBe('error: there is no such file')
    expect(said[1]).toContain('path: ')
    expect(said[2]).toContain('error: ')
    expect(said[3]).toContain('there is no tool fly; there are read, write')
    expect(said[4]).toContain('error: ')
  })

  it('runs commands, bounded in time and in what they print, without the keys to its model', async () => {
    const rules = calling(
      { name: 'run', input: { argv: ['sh', '-c', 'pwd; env; exit 3'] } },
      { name: 'run', input: { argv: ['sh', '-c', 'yes | head -c 1000000'] } },
      { name: 'run', input: { argv: ['sleep', '60'] } },
    )
    const report = await perform(rules, { settings: { commandMs: 700, outputBytes: 2_000 } })
    const [first, second, third] = textOf(report).split('\n---\n')
    expect(first).toMatch(/^exit code 3\n\S+\/workspaces\//)
    expect(first).not.toContain('BASE_URL')
    expect(first).not.toContain('API_KEY')
    expect(second!.length).toBeLessThan(2_200)
    expect(second).toContain('bytes left out]')
    expect(third).toContain('it took longer than 0.7 s')
  })

  it('asks people: in words, by choices, and goes on when nobody answers', async () => {
    people.answer = ({ choices }) => (choices.length === 0 ? { text: 'the red one' } : { choice: '2' })
    const [words, choice] = await answers(
      { name: 'ask', input: { question: 'Which?' } },
      { name: 'ask', input: { question: 'Which of these?', choices: ['red', 'blue'], confidence: 0.4, risk: 0.8 } },
    )
    expect([words, choice]).toEqual(['the red one', 'blue'])
    expect(people.questions[1]).toMatchObject({ kind: 'question', confidence: 0.4, risk: 0.8 })
    people.answer = null
    const [nobody] = await answers({ name: 'ask', input: { question: 'Which?' } })
    expect(nobody).toContain('Nobody has answered')
  })

  it('does what its pool forbids not even when it insists', async () => {
    const permissions: ToolPermissions = { kinds: { ...free.kinds, edit: 'off' }, tools: { run: 'off' } }
    const rules = calling(
      { name: 'write', input: { path: 'a', content: '' } },
      { name: 'run', input: { argv: ['touch', 'a'] } },
    )
    const report = await perform(rules, { permissions })
    expect(textOf(report).match(/error: not allowed: the pool does not allow/g)).toHaveLength(2)
    expect(report.workspaceCommit).toBe(rawGit(repository, 'rev-parse', 'HEAD'))
  })

  const forever: Rule[] = [{ reply: { tools: [{ name: 'list', input: {} }], usage: { input: 900, output: 100 } } }]
  it.each([
    ['turns', { turns: 3 }, 3, 'the 3 turns'],
    ['tokens', { tokens: 3_500 }, 3, 'the 3500 tokens'],
    // Each turn costs 900 + 10 * 100.
    ['money', { budgetMicroUsd: 5_000 }, 2, 'used the budget'],
    ['time', { wallMs: 1 }, 0, /of its pool|that its pool allows/],
  ] as const)('ends at its bounds: %s', async (_, bounds, most, message) => {
    const report = await perform(forever, { settings: bounds })
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'agent-limit' } })
    expect(report.error!.message).toMatch(message)
    expect(server.seen.length).toBeLessThanOrEqual(Math.max(1, most))
    const { microUsd = 0 } = report.usage.spending ?? {}
    if ('budgetMicroUsd' in bounds) expect(microUsd).toBeLessThanOrEqual(bounds.budgetMicroUsd)
  })

  it('asks for no longer an answer than its bounds leave room for', async () => {
    const text = 'word '.repeat(5_000)
    const report = await perform([{ reply: { text, usage: { input: 10, output: 150 } } }], {
      settings: { budgetMicroUsd: 2_000 },
    })
    expect(server.seen[0]!.limit).toBeLessThan(200)
    expect(report.error).toMatchObject({ code: 'agent-limit' })
  })

  it('does not begin with a budget where nobody knows a price', async () => {
    const report = await perform([], { settings: { budgetMicroUsd: 5_000 }, costOf: () => null })
    expect(report.error).toMatchObject({
      code: 'agent-limit',
      message: expect.stringContaining('nobody knows the price'),
    })
    expect(server.seen).toEqual([])
  })

  it.each([
    ['a rate limit', { status: 429, headers: { 'retry-after': '0' } }],
    ['a failure of the provider', { status: 503 }],
    ['an answer that breaks off', { text: 'half of it', dieAfter: 2 }],
    ['an error in the middle', { text: 'half of it', failAfter: 2 }],
  ] satisfies [string, Reply][])('tries again after %s, and nothing was done twice', async (_, reply) => {
    const rules = [{ times: 1, reply }, ...calling({ name: 'write', input: { path: 'once.txt', content: 'x' } })]
    const report = await perform(rules)
    expect(report.outcome).toBe('succeeded')
    expect(textOf(report)).toBe('wrote 1 bytes to once.txt')
    expect(report.notes).toContain('asks the model again')
  })

  it.each([
    [{ status: 401 }, 'agent-auth'],
    [{ status: 400, message: 'no' }, 'agent-refused'],
    [{ status: 429, headers: { 'x-should-retry': 'false' } }, 'agent-limit'],
  ] satisfies [Reply, string][])('%j is not asked twice: %s', async (reply, code) => {
    expect((await perform([{ reply }])).error).toMatchObject({ code })
    expect(server.seen).toHaveLength(1)
  })

  it('that is silent is ended after the silence of its pool', async () => {
    const report = await perform([{ reply: { hang: true } }], { silenceMs: 600 })
    expect(report.error).toMatchObject({ code: 'agent-silent' })
  })

  it('that has no key says what is missing', async () => {
    const agent = hosted({ kit, people }, server)
    const port = new MemoryExchange([agent.registration])
    const runner = kit.runner(port, [{ ...agent, env: {}, masked: [] }], { pollMs: 50 })
    const id = port.enqueue(agentSpec('x'))
    await port.settled(1)
    await runner.close()
    expect(port.reportOf(id)!.error).toMatchObject({ code: 'agent-auth', message: expect.stringContaining('models') })
  })

  it('sums up before its context is full, and goes on with what it wrote down', async () => {
    const states: GrowthState[] = []
    const summing = ({ texts }: { texts: readonly string[] }) =>
      texts.some((text) => text.startsWith('Your context is nearly full'))
    const fresh = ({ texts }: { texts: readonly string[] }) => texts.some((text) => text.includes('READ sum.js'))
    const sized = (input: number): Rule => ({
      times: 1,
      reply: { tools: [{ name: 'read', input: { path: 'sum.js' } }], usage: { input, output: 10 } },
    })
    const rules: Rule[] = [
      { when: summing, reply: { text: 'READ sum.js; now answer', usage: { input: 8_600, output: 20 } } },
      { when: fresh, reply: { text: 'all done', usage: { input: 300, output: 5 } } },
      ...[1_000, 3_000, 5_200, 8_600].map(sized),
    ]
    const report = await perform(rules, { settings: { contextTokens: 10_000, answerTokens: 500 }, states })
    expect(report).toMatchObject({ outcome: 'succeeded', output: { text: 'all done' } })
    expect(states.map(({ level, summaries }) => [level, summaries])).toEqual([
      ...[
        ['ok', 0],
        ['ok', 0],
        ['warn', 0],
        ['checkpoint', 0],
      ],
      ...[
        ['ok', 1],
        ['ok', 1],
      ],
    ])
    const last = server.seen.at(-1)!
    expect(last.body.messages).toHaveLength(2)
    expect(last.said).toMatch(/^the task\n(.|\n)*READ sum.js; now answer$/)
    expect(report.notes).toContain('it sums up')
    expect(report.usage.spending).toMatchObject({ metered: true, outputTokens: 65 })
  })

  it('sums up also where one result would have been too much', async () => {
    mkdirSync(join(kit.folder, 'big'))
    const big = join(kit.folder, 'big', 'repository')
    makeRepository(big, { 'big.txt': `${'x'.repeat(99)}\n`.repeat(1_000) })
    const summing = ({ texts }: { texts: readonly string[] }) =>
      texts.some((text) => text.startsWith('Your context is nearly full'))
    const before = repository
    repository = big
    const report = await perform(
      [
        { when: summing, times: 1, reply: { text: 'it is full of x' } },
        { when: ({ texts }) => texts.some((text) => text.includes('full of x')), reply: { text: 'done' } },
        {
          times: 1,
          reply: { tools: [{ name: 'read', input: { path: 'big.txt' } }], usage: { input: 500, output: 10 } },
        },
      ],
      { settings: { contextTokens: 8_000, answerTokens: 500, outputBytes: 60_000 } },
    )
    repository = before
    expect(report.output).toEqual(expect.objectContaining({ text: 'done' }))
    const asked = server.seen.find(summing)!
    expect(JSON.stringify(asked.body).length / 4).toBeLessThan(8_000)
  })

  it('uses the tools that its pool grants it, and is told of their failures', async () => {
    const calls: unknown[] = []
    const tools: OpenToolGrants = () => ({
      servers: ['weather'],
      list: async () => [
        {
          ...{
            server: 'weather',
            name: 'today',
            qualified: 'weather__today',
            description: 'The weather',
            permission: 'allow',
          },
          inputSchema: { type: 'object', properties: { town: { type: 'string' } } },
        },
      ],
      call: async (call) => {
        calls.push(call)
        const isError = call.arguments.town === 'Nowhere'
        return { text: isError ? 'no such town' : 'rain', content: [], structured: null, isError }
      },
      close: async () => 0,
    })
    const rules = calling(
      { name: 'weather__today', input: { town: 'Bern' } },
      { name: 'weather__today', input: { town: 'Nowhere' } },
    )
    expect(textOf(await perform(rules, { tools }))).toBe('rain\n---\nerror: no such town')
    expect(calls).toEqual([
      { server: 'weather', tool: 'today', arguments: { town: 'Bern' } },
      { server: 'weather', tool: 'today', arguments: { town: 'Nowhere' } },
    ])
  })
})
