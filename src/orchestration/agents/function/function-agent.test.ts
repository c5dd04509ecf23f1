import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { defaultPermissions } from '../../../foundation/platform/config/agent-kinds.ts'
import { aliveOf, systemProcessTable } from '../../../foundation/platform/processes/index.ts'
import { MemoryExchange } from '../../runners/memory-exchange.fixture.ts'
import { agentSpec, RunnerKit, registration } from '../../runners/runner-kit.fixture.ts'
import { RecordedCalls } from '../../tool-calls/recorded-calls.fixture.ts'
import { ScriptedPeople } from '../sessions/ask.fixture.ts'
import { describeAgentKind, everything, type KindUnderTest } from '../sessions/conformance.fixture.ts'
import { type PeerStep, promptOf } from '../sessions/peer-script.fixture.ts'
import { createSessionAdapter } from '../sessions/session-adapter.ts'
import { createFunctionDriver } from './function-driver.ts'

const peer = fileURLToPath(new URL('function-peer.fixture.ts', import.meta.url))

const calls = new RecordedCalls()

function hosted({ kit, people }: KindUnderTest, module = peer, silenceMs: number | null = null, memoryMb = 64) {
  const driver = createFunctionDriver({
    settings: { kind: 'function', module, memoryBytes: memoryMb * 1_048_576 },
    rules: { permissions: defaultPermissions, askMs: 1_500, silenceMs },
    module,
  })
  return {
    registration: { ...registration('function', 1), kind: 'function' },
    adapter: createSessionAdapter(driver, {
      artifacts: kit.artifacts,
      ask: people,
      cancelGraceMs: 300,
      toolCalls: calls.open,
    }),
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
  }
}

// Functions have no permissions to ask for: what they ask people are questions. Their failures are all of one kind.
describeAgentKind('function', { ...everything, asks: false, refuses: false }, (test) => hosted(test))

describe('a function', () => {
  const folder = mkdtempSync(join(tmpdir(), 'leanvibe-functions-'))
  const people = new ScriptedPeople()
  let kit: RunnerKit
  beforeAll(() => {
    kit = new RunnerKit()
  })
  beforeEach(() => {
    people.questions.length = 0
    people.answer = null
  })
  afterAll(async () => {
    await kit.close()
    rmSync(folder, { recursive: true })
  })

  async function perform(agent: ReturnType<typeof hosted>, prompt: string, timeoutMs = 30_000) {
    const port = new MemoryExchange([agent.registration], `tsk-${randomUUID().slice(0, 8)}`)
    const runner = kit.runner(port, [agent], { pollMs: 50 })
    const id = port.enqueue(agentSpec(prompt, { timeoutMs, outputs: { text: { from: 'stdout' } } }))
    await port.settled(1)
    await runner.close()
    return { ...port.reportOf(id)!, log: kit.logs.text(id, 'stderr') }
  }
  const steps = (...all: PeerStep[]) => perform(hosted({ kit, people }), promptOf(...all))
  const module = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return hosted({ kit, people }, join(folder, name))
  }

  it('gives back text as it is, and anything else as JSON', async () => {
    const typed = module('typed.ts', 'export default async (task: { prompt: string }) => `${task.prompt}!`\n')
    expect((await perform(typed, 'hello')).output).toEqual({ text: 'hello!' })
    const object = module('object.mjs', 'export default () => ({ label: "bug", sure: 0.9 })\n')
    expect((await perform(object, 'x')).output).toEqual({ text: '{"label":"bug","sure":0.9}' })
    const nothing = module('nothing.mjs', 'export default () => {}\n')
    expect((await perform(nothing, 'x')).output).toEqual({ text: '' })
  })

  it('tells of the tools that it uses, how they ended, and what was left under way', async () => {
    const agent = module(
      'tools.ts',
      `export default async (task, context) => {
  const found = await context.tool({ tool: 'search', kind: 'search', title: 'looks for it' }, () => 3)
  await context.tool({ tool: 'deploy', kind: 'execute' }, () => { throw new Error('no way') }).catch(() => {})
  void context.tool({ tool: 'wait' }, () => new Promise(() => {}))
  return String(found)
}\n`,
    )
    const report = await perform(agent, 'x')
    expect(report.output).toEqual({ text: '3' })
    expect(calls.of(report.taskId)).toEqual([
      'search completed: looks for it',
      'deploy failed: deploy',
      'wait abandoned: wait',
    ])
  })

  it('prints into the log, not into its answer', async () => {
    const report = await steps({ call: 'print', with: ['a line'] })
    expect(report.output).toEqual({ text: 'printed' })
    expect(report.log).toContain('a line')
  })

  it('sees no variable of this process', async () => {
    const names = ((await steps({ call: 'environment', with: [] })).output as { text: string }).text.split(' ')
    expect(names.filter((name) => !name.startsWith('LEANVIBE_'))).toEqual(['PATH'])
  })

  it('is ended when it spins, and the process goes on meanwhile', async () => {
    const report = await perform(hosted({ kit, people }), promptOf({ call: 'spin', with: [] }), 1_000)
    expect(report).toMatchObject({ outcome: 'timed-out', error: { code: 'timeout' } })
  })

  it('is ended when it waits for ever without giving way, with what it has started', async () => {
    const report = await perform(hosted({ kit, people }), promptOf({ call: 'block', with: [] }), 1_000)
    expect(report).toMatchObject({ outcome: 'timed-out' })
    const marker = `${report.taskId}.${report.fence}`
    expect(aliveOf({ marker, main: null }, systemProcessTable())).toEqual([])
  })

  it('that takes more memory than its pool gives is ended, and told so', async () => {
    const report = await steps({ call: 'hoard', with: [] })
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'limit-exceeded', retry: 'never' } })
  })

  it('may say that it is not worth another try', async () => {
    const report = await steps({ call: 'throw', with: ['no such customer'] })
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'agent-failed', retry: 'never' } })
    expect(report.error!.message).toContain('no such customer')
    expect(report.log).toContain('function-peer.fixture.ts')
  })

  it('asks people, by choices or in free words', async () => {
    people.answer = () => ({ choice: 'allow' })
    expect((await steps({ ask: 'go on?', kind: 'other' })).output).toEqual({ text: 'allowed' })
    expect(people.questions).toMatchObject([{ kind: 'question', message: 'go on?', freeText: false }])
    people.answer = null
    expect((await steps({ ask: 'go on?', kind: 'other' })).output).toEqual({ text: 'refused' })
    people.answer = () => ({ text: 'the second' })
    const free = module(
      'free.ts',
      'export default async (_: unknown, { ask }: any) => (await ask({ message: "Which?" })).text\n',
    )
    expect((await perform(free, 'x')).output).toEqual({ text: 'the second' })
  })

  it.each([
    ['there is none', 'missing.ts', null, 'agent-mismatch'],
    ['it cannot be read', 'broken.ts', 'export default (\n', 'agent-failed'],
    ['it has no function', 'empty.ts', 'export const x = 1\n', 'agent-failed'],
    ['its value is no JSON', 'symbol.ts', 'export default () => () => 1\n', 'agent-failed'],
  ])('where %s, it is not tried again', async (_, name, text, code) => {
    const agent = text === null ? hosted({ kit, people }, join(folder, name)) : module(name, text)
    expect(await perform(agent, 'x')).toMatchObject({ outcome: 'failed', error: { code, retry: 'never' } })
  })

  it('that goes quiet is ended after the silence of its pool', async () => {
    const report = await perform(hosted({ kit, people }, peer, 1_000), promptOf({ say: 'x' }, { hang: true }))
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'agent-silent' } })
  })
})
