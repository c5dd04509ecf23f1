import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { defaultPermissions } from '../../../foundation/platform/config/agent-kinds.ts'
import type { AcpSettings } from '../../../foundation/platform/config/agent-settings.ts'
import type { ToolServerSettings } from '../../../foundation/platform/config/tool-settings.ts'
import { detectConfinement, type HostConfinement, unconfined } from '../../../foundation/platform/processes/index.ts'
import { MemoryExchange } from '../../runners/memory-exchange.fixture.ts'
import { agentSpec, RunnerKit, registration } from '../../runners/runner-kit.fixture.ts'
import { RecordedCalls } from '../../tool-calls/recorded-calls.fixture.ts'
import { createServerSecrets } from '../mcp/server-secrets.ts'
import { openToolHub } from '../mcp/tool-hub.ts'
import { ScriptedPeople } from '../sessions/ask.fixture.ts'
import { promptOf } from '../sessions/peer-script.fixture.ts'
import { createSessionAdapter } from '../sessions/session-adapter.ts'
import { createAcpDriver } from './acp-driver.ts'
import { createSessionMemory } from './acp-resume.ts'

const program = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const rule = (name: 'allow' | 'ask' | 'off') => ({ rule: name, arguments: {} })
const root = fileURLToPath(new URL('../../../..', import.meta.url))

const server: ToolServerSettings = {
  ...{ name: 'peer', argv: [process.execPath, '--no-warnings', program('../mcp/mcp-peer.fixture.ts')] },
  ...{ url: null, headers: {}, secret: null, env: [], usual: 'off', callMs: 30_000, startMs: 30_000 },
  tools: { add: rule('allow'), env: rule('ask'), perform: rule('allow') },
}
const settings: AcpSettings = {
  ...{ kind: 'acp', argv: [process.execPath, '--no-warnings', program('acp-peer.fixture.ts')] },
  ...{ mode: null, model: null, auth: null, resume: false, startMs: 30_000 },
}
const bare: HostConfinement = { bubblewrap: null, unshare: null, problem: 'not looked for' }

describe('an ACP agent and the tools that its pool grants', () => {
  let kit: RunnerKit
  let confined: HostConfinement
  const people = new ScriptedPeople()
  const calls = new RecordedCalls()
  let count = 0

  beforeAll(async () => {
    kit = new RunnerKit()
    confined = await detectConfinement(process.env.PATH ?? '')
  })
  afterEach(() => {
    people.questions.length = 0
    people.answer = null
  })
  afterAll(async () => {
    await kit.close()
    expect(kit.errors).toEqual([])
  })

  async function perform(prompt: string, bounds?: 'confined', silenceMs: number | null = null) {
    const host = bounds === undefined ? bare : confined
    const rules =
      bounds === undefined ? unconfined : { mode: 'auto' as const, network: 'off' as const, read: [root], write: [] }
    const session = { permissions: defaultPermissions, askMs: 6_500, silenceMs }
    const processes = { supervisor: kit.supervisor, host, rules }
    const secrets = createServerSecrets({ environmentOf: () => ({}), read: async () => '' })
    const tools = openToolHub({ servers: [server], rules: session, processes, secrets, env: { PATH: '/usr/bin:/bin' } })
    const memory = createSessionMemory(`${kit.folder}/sessions`)
    const driver = createAcpDriver({ settings, rules: session, processes, memory, tools })
    count += 1
    const taskId = `tsk_tools${count}`
    const hosted = {
      registration: { ...registration(`tools-${count}`, 1), kind: 'acp' },
      adapter: createSessionAdapter(driver, {
        ...{ artifacts: kit.artifacts, ask: people, cancelGraceMs: 500, toolCalls: calls.open },
      }),
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    }
    const port = new MemoryExchange([hosted.registration])
    kit.runner(port, [hosted], { pollMs: 50, id: `rnr_tools${count}` as never })
    port.enqueue(agentSpec(prompt, { outputs: { text: { from: 'stdout' } } }), { taskId: taskId as never })
    await port.settled(1)
    return { report: port.accepted[0]!, notes: kit.logs.text(taskId, 'stderr'), told: calls.of(taskId) }
  }

  const list = { call: 'tool', with: ['peer', ''] } as const
  const tool = (name: string, args: object) => ({ call: 'tool', with: ['peer', name, JSON.stringify(args)] }) as const

  it('sees those that are granted, and calls them through us', async () => {
    people.answer = ({ choices }) => ({ choice: choices[0]!.id })
    const { report, notes, told } = await perform(
      promptOf(list, tool('add', { a: 20, b: 22 }), tool('env', { name: 'HOME' }), tool('picture', {})),
    )
    const { text } = report.output as { text: string }
    expect(text.split('\n')).toEqual([
      ...['perform,add,env', '42', 'HOME=unset', 'failed: refused: the pool does not allow picture'],
    ])
    expect(people.questions.map(({ message }) => message)).toEqual([
      'May it do this? call env of peer: {"name":"HOME"}',
    ])
    expect(notes).toContain('tool peer.add {"a":20,"b":22}: allowed by policy')
    expect(notes).toContain('tool peer.picture: refused')
    // Once each, without what they were called with.
    expect(told).toEqual([
      'peer.add completed: call add of peer',
      'peer.env completed: call env of peer',
      'peer.picture refused: call picture of peer',
    ])
  })

  it('tells of its own tools, and of what people do not allow', async () => {
    people.answer = ({ choices }) => ({ choice: choices.find(({ meaning }) => meaning === 'reject-once')!.id })
    const { told } = await perform(promptOf({ ask: 'run the tests', kind: 'execute' }, { ask: 'think', kind: 'think' }))
    expect(told).toEqual(['execute refused: run the tests', 'think completed: think'])
  })

  it('is told of a server that dies in the middle of a call, and goes on', async () => {
    const { report } = await perform(
      promptOf(tool('perform', { prompt: promptOf({ die: 4 }) }), tool('add', { a: 1, b: 1 })),
    )
    expect((report.output as { text: string }).text).toMatch(/^failed: exit code 4.*\n2$/)
  })

  it('may be silent while people think', async () => {
    const done = perform(promptOf(tool('env', { name: 'HOME' }), { say: 'end' }), undefined, 6_000)
    await expect.poll(() => people.questions.length, { timeout: 30_000 }).toBe(1)
    const { report } = await done
    expect((report.output as { text: string }).text).toContain('nobody answered in time')
    expect(report.outcome).toBe('succeeded')
  })

  it('reaches them from within its bounds, without a network', async ({ skip }) => {
    if (confined.bubblewrap === null) return skip(`no bubblewrap here: ${confined.problem}`)
    const { report } = await perform(promptOf(list, tool('add', { a: 1, b: 2 })), 'confined')
    expect(report).toMatchObject({ outcome: 'succeeded', output: { text: 'perform,add,env\n3' } })
  })
})
