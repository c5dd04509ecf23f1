import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { TaskId } from '../../../foundation/kernel/ids.ts'
import { defaultPermissions } from '../../../foundation/platform/config/agent-kinds.ts'
import type { AcpSettings } from '../../../foundation/platform/config/agent-settings.ts'
import { unconfined } from '../../../foundation/platform/processes/index.ts'
import { createGrowthMeter, type GrowthState } from '../../context-growth/growth-meter.ts'
import { MemoryExchange } from '../../runners/memory-exchange.fixture.ts'
import { agentSpec, RunnerKit, registration } from '../../runners/runner-kit.fixture.ts'
import { createServerSecrets } from '../mcp/server-secrets.ts'
import { openToolHub } from '../mcp/tool-hub.ts'
import { ScriptedPeople } from '../sessions/ask.fixture.ts'
import { describeAgentKind, everything, type KindUnderTest } from '../sessions/conformance.fixture.ts'
import { promptOf } from '../sessions/peer-script.fixture.ts'
import { createSessionAdapter } from '../sessions/session-adapter.ts'
import { createAcpDriver } from './acp-driver.ts'
import { createSessionMemory } from './acp-resume.ts'

const peer = fileURLToPath(new URL('acp-peer.fixture.ts', import.meta.url))
const settings: AcpSettings = {
  kind: 'acp',
  argv: [process.execPath, '--no-warnings', peer],
  ...{ mode: null, model: null, auth: null, resume: false, startMs: 30_000 },
}

const noSecrets = createServerSecrets({ environmentOf: () => ({}), read: async () => '' })

const states: GrowthState[] = []

function hostedPeer({ kit, people }: KindUnderTest, given: AcpSettings = settings, silenceMs: number | null = null) {
  const rules = { permissions: defaultPermissions, askMs: 1_500, silenceMs }
  const processes = {
    supervisor: kit.supervisor,
    host: { bubblewrap: null, unshare: null, problem: 'not looked for' },
    rules: unconfined,
  }
  const driver = createAcpDriver({
    ...{ settings: given, rules, processes },
    memory: createSessionMemory(`${kit.folder}/sessions`),
    tools: openToolHub({ servers: [], rules, processes, secrets: noSecrets, env: {} }),
    meter: () => createGrowthMeter({ onState: (state) => void states.push(state), onClose: async () => {} }),
  })
  return {
    registration: { ...registration('acp', 1), kind: 'acp' },
    adapter: createSessionAdapter(driver, { artifacts: kit.artifacts, ask: people, cancelGraceMs: 500 }),
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
  }
}

describeAgentKind('acp', everything, (test) => hostedPeer(test))

describe('what else an ACP agent may do', () => {
  let kit: RunnerKit
  const people = new ScriptedPeople()
  beforeEach(() => {
    kit = new RunnerKit()
    people.questions.length = 0
  })
  afterEach(() => kit.close())

  async function perform(fault: string, more: Partial<AcpSettings> & { silence?: number }, ...attempts: string[]) {
    const argv = [process.execPath, '--no-warnings', peer, fault]
    const { silence = null, ...changes } = more
    const hosted = hostedPeer({ kit, people }, { ...settings, argv, ...changes }, silence)
    const port = new MemoryExchange([hosted.registration])
    kit.runner(port, [hosted], { pollMs: 50 })
    for (const [index, prompt] of attempts.entries()) {
      const spec = agentSpec(prompt, { outputs: { text: { from: 'stdout' } } })
      port.enqueue(spec, { attempt: index + 1, taskId: 'tsk_same' as TaskId })
      await port.settled(index + 1)
    }
    return { reports: port.accepted, log: kit.logs.text('tsk_same'), notes: kit.logs.text('tsk_same', 'stderr') }
  }

  it.each([
    ['mute', { startMs: 500 }, 'agent-unreachable', 'did not come up within 0.5 s'],
    ['version', {}, 'agent-protocol', 'it speaks version 99'],
    ['nameless', {}, 'agent-protocol', 'a session without a name'],
    ['die', {}, 'agent-unreachable', 'exit code 3'],
    ['', { mode: 'plan' }, 'agent-failed', 'Method not found'],
  ] as const)('%s %j fails as %s', async (fault, more, code, message) => {
    const { reports } = await perform(fault, more, promptOf({ say: 'x' }))
    expect(reports[0]).toMatchObject({ outcome: 'failed', error: { code, message: expect.stringContaining(message) } })
  })

  it('a banner before the first message does no harm', async () => {
    const { reports } = await perform('banner', {}, promptOf({ say: 'x' }))
    expect(reports[0]).toMatchObject({ outcome: 'succeeded', output: { text: 'x' } })
  })

  it('a program that is not there is told by its name', async () => {
    const { reports } = await perform('', { argv: ['no-such-agent'] }, promptOf({ say: 'x' }))
    expect(reports[0]).toMatchObject({ outcome: 'failed', error: { code: 'command-not-found', retry: 'never' } })
  })

  it('a further attempt goes on with the session of the one before, whose past is no answer', async () => {
    const { reports, notes } = await perform('', { resume: true }, promptOf({ fail: 'no' }), promptOf({ say: 'yes' }))
    expect(reports.map(({ outcome }) => outcome)).toEqual(['failed', 'succeeded'])
    expect(reports[1]!.output).toEqual({ text: 'yes' })
    expect(notes).toContain('goes on with the session')
  })

  it('one whose context is nearly full sums up, and goes on in a fresh session', async () => {
    states.length = 0
    const fill = (used: number, ...more: string[]) =>
      ({ call: 'fill', with: [String(used), '100000', ...more] }) as const
    const steps = [
      { say: 'half, ' },
      fill(20_000),
      fill(55_000),
      fill(88_000, 'and works on'),
      { say: 'never' },
    ] as const
    const { reports, notes } = await perform('', {}, promptOf(...steps))
    expect(reports[0]).toMatchObject({ outcome: 'succeeded' })
    expect((reports[0]!.output as { text: string }).text).toBe('half, filled\nfilled\nthen the rest, in session 2')
    expect(notes).toContain('goes on in a fresh session')
    expect(states.map(({ level, summaries }) => [level, summaries])).toEqual([
      ...[
        ['ok', 0],
        ['warn', 0],
        ['checkpoint', 0],
      ],
      ['ok', 1],
    ])
  })

  it('one that goes quiet is ended after the silence of its pool', async () => {
    const { reports } = await perform('', { silence: 1_500 }, promptOf({ say: 'x' }, { hang: true }))
    expect(reports[0]).toMatchObject({ outcome: 'failed', error: { code: 'agent-silent' } })
  })

  it('files go through us: those of the worktree, and no others', async () => {
    const steps = [
      { call: 'write', with: ['notes/a.txt', 'one\ntwo\n'] },
      { call: 'read', with: ['notes/a.txt'] },
      { call: 'read', with: ['/etc/passwd'] },
      { call: 'write', with: ['../planted', 'x'] },
      { call: 'read', with: ['missing.txt'] },
    ] as const
    const { reports } = await perform('', {}, promptOf(...steps))
    const { text } = reports[0]!.output as { text: string }
    expect(text.split('\n')).toEqual([
      ...['written', 'one', 'two', '', 'refused: path-outside: /etc/passwd is outside the worktree'],
      ...['refused: path-outside: ../planted is outside the worktree', 'refused: there is no such file'],
    ])
  })

  it('commands go through us when people allow it: in the worktree, and ended with the session', async () => {
    people.answer = ({ details, choices }) => ({
      choice: choices.find(({ meaning }) => meaning === (details.command === 'pwd' ? 'allow-once' : 'reject-once'))!.id,
    })
    const { reports } = await perform('', {}, promptOf({ call: 'run', with: ['pwd'] }, { call: 'run', with: ['id'] }))
    people.answer = null
    const { text } = reports[0]!.output as { text: string }
    expect(text).toMatch(/^0: \S*\/workspaces\/tsk_same\.\d+\//)
    expect(text).toContain('refused: permission-denied: id: it was refused')
  })

  it('one that reports an edit outside its worktree, where nothing keeps it in, is ended', async () => {
    const { reports } = await perform('', {}, promptOf({ call: 'edited', with: ['/etc/hosts'] }))
    expect(reports[0]).toMatchObject({
      ...{
        outcome: 'failed',
        error: { code: 'path-outside', retry: 'never', message: expect.stringContaining('/etc/hosts') },
      },
    })
  })
})
