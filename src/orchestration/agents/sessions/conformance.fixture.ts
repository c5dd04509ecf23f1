import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeRepository, rawGit } from '../../../foundation/platform/git/git.fixture.ts'
import { aliveOf, systemProcessTable } from '../../../foundation/platform/processes/index.ts'
import type { Assignment, AttemptReport } from '../../runners/exchange-contract.ts'
import type { HostedAgent } from '../../runners/hosted-agent.ts'
import { MemoryExchange } from '../../runners/memory-exchange.fixture.ts'
import { agentSpec, commandSpec, RunnerKit } from '../../runners/runner-kit.fixture.ts'
import type { ResolvedAgent, ResolvedTask } from '../../workflows/task-contract.ts'
import { ScriptedPeople } from './ask.fixture.ts'
import { type PeerStep, promptOf } from './peer-script.fixture.ts'

/** What agents of a kind can do, and so are held to. */
export interface KindTraits {
  /** They work on the files of the worktree. */
  readonly files: boolean
  /** They ask for permission. */
  readonly asks: boolean
  /** They tell what they have spent. */
  readonly usage: boolean
  /** They run on this machine, and what they start is ended with them. */
  readonly processes: boolean
  /** What they send can be no message at all. */
  readonly protocol: boolean
  /** They are given the variables of the attempt. */
  readonly env: boolean
  /** Their end tells refusal from failure. */
  readonly refuses: boolean
  /** Their words come while they work; of others the log shows what they tell beside. Default true. */
  readonly streams?: boolean
}

export const everything: KindTraits = {
  ...{ files: true, asks: true, usage: true, processes: true, protocol: true, env: true, refuses: true },
}

export interface KindUnderTest {
  readonly kit: RunnerKit
  readonly people: ScriptedPeople
}

const secret = 'pl4nted-s3cret-value'

/** What a kind cannot do is no test that was left out: there is none. */
function itWhere(applies: boolean) {
  return (name: string, test: () => Promise<void>): void => {
    if (applies) it(name, test)
  }
}

/**
 * What every kind of agent must keep, whatever is behind it. The agent does what its prompt says (`PeerStep`); it may be
 * as hostile as it likes: the attempt ends, its end is explained, its slot is free again, its processes are gone.
 */
export function describeAgentKind(
  kind: string,
  traits: KindTraits,
  make: (test: KindUnderTest) => HostedAgent | Promise<HostedAgent>,
  end: () => Promise<void> = async () => {},
): void {
  describe(`an agent of the kind ${kind}`, () => {
    let kit: RunnerKit
    let port: MemoryExchange
    let repository: string
    const people = new ScriptedPeople()

    beforeAll(async () => {
      kit = new RunnerKit({ PLANTED: secret })
      repository = join(kit.folder, 'repository')
      makeRepository(repository, { 'README.md': 'hello\n' })
      const hosted = await make({ kit, people })
      port = new MemoryExchange([hosted.registration], `tsk-${randomUUID().slice(0, 8)}`)
      kit.runner(port, [hosted], { pollMs: 50, progressMs: 100, logBytes: 1_048_576 })
    })
    afterAll(async () => {
      await kit?.close()
      await end()
      expect(kit?.errors ?? []).toEqual([])
    })

    const text = { text: { from: 'stdout' } } as const
    function begin(steps: readonly PeerStep[], more: Partial<ResolvedAgent> = {}, about: Partial<Assignment> = {}) {
      people.questions.length = 0
      people.answer = null
      const id = port.enqueue(agentSpec(promptOf(...steps), { outputs: text, timeoutMs: 45_000, ...more }), about)
      const report = async (): Promise<AttemptReport> => {
        await expect.poll(() => port.reportOf(id), { timeout: 60_000 }).toBeTruthy()
        return port.reportOf(id)!
      }
      return { id, report }
    }
    const perform = (...args: Parameters<typeof begin>) => begin(...args).report()
    const heard = (id: string) => kit.logs.text(id) + (traits.streams === false ? kit.logs.text(id, 'stderr') : '')

    /** Nothing of the attempt is left: no process, no folder; and the slot takes the next task. */
    async function expectGone({ taskId, fence }: AttemptReport): Promise<void> {
      expect(aliveOf({ marker: `${taskId}.${fence}`, main: null }, systemProcessTable())).toEqual([])
      const folders = join(kit.folder, 'workspaces')
      if (existsSync(folders)) expect(readdirSync(folders)).not.toContain(`${taskId}.${fence}`)
    }

    it('does its task and says so', async () => {
      const { id, report } = begin([{ say: 'all ' }, { say: 'done' }])
      expect(await report()).toMatchObject({ outcome: 'succeeded', error: null, output: { text: 'all done' } })
      expect(kit.logs.text(id)).toContain('all done')
      await expectGone(await report())
    })

    it('takes prompts alone', async () => {
      const before = port.accepted.length
      const id = port.enqueue(commandSpec(['true']) as ResolvedTask)
      await port.settled(before + 1)
      if (port.reportOf(id)!.outcome !== 'succeeded') {
        expect(port.reportOf(id)).toMatchObject({
          outcome: 'failed',
          error: { code: 'agent-mismatch', retry: 'never' },
        })
      }
    })

    itWhere(traits.files)('changes files in a worktree, which are committed', async () => {
      const more = { workspace: 'worktree' } as const
      const about = { repo: { path: repository, commit: null } }
      const report = await perform([{ write: 'made/by-agent.txt', content: 'yes\n' }, { say: 'ok' }], more, about)
      expect(report).toMatchObject({ outcome: 'succeeded', output: { text: 'ok' } })
      expect(rawGit(repository, 'show', `${report.workspaceCommit}:made/by-agent.txt`)).toBe('yes')
      expect(existsSync(join(repository, 'made'))).toBe(false)
      await expectGone(report)
    })

    itWhere(traits.usage)('tells what it has spent', async () => {
      const report = await perform([{ spent: { input: 120, output: 30 } }, { say: 'x' }])
      expect(report.usage.spending).toMatchObject({ inputTokens: 120, outputTokens: 30 })
    })

    it('ends in time when it hangs', async () => {
      const { id, report } = begin([{ say: 'begun' }, { hang: true }], { timeoutMs: 6_000 })
      expect(await report()).toMatchObject({ outcome: 'timed-out', error: { code: 'timeout' } })
      expect(heard(id)).toContain('begun')
      await expectGone(await report())
    })

    it('ends when it is cancelled', async () => {
      const { id, report } = begin([{ say: 'begun' }, { hang: true }])
      await expect.poll(() => heard(id), { timeout: 20_000 }).toContain('begun')
      port.cancel(id, 'the user said so')
      expect(await report()).toMatchObject({ outcome: 'cancelled', error: { message: 'the user said so' } })
      await expectGone(await report())
    })

    it('explains a death in the middle of its words', async () => {
      const { id, report } = begin([{ say: 'half of ' }, { die: 7 }])
      expect(await report()).toMatchObject({ outcome: 'failed', output: null, error: { retry: 'later' } })
      expect((await report()).error!.message).not.toBe('')
      expect((await report()).error!.code).not.toBe('agent-crashed')
      expect(heard(id)).toContain('half of')
      await expectGone(await report())
    })

    it('has failed when it says so', async () => {
      const report = await perform([{ fail: 'the tests do not pass' }])
      expect(report).toMatchObject({ outcome: 'failed', error: { message: expect.stringContaining('do not pass') } })
    })

    itWhere(traits.refuses)('has refused when it says so, and is not asked again', async () => {
      const report = await perform([{ refuse: true }])
      expect(report).toMatchObject({ outcome: 'failed', error: { code: 'agent-refused', retry: 'never' } })
    })

    itWhere(traits.protocol)('is told from one that breaks its protocol', async () => {
      const report = await perform([{ garbage: true }, { say: 'never' }])
      expect(report).toMatchObject({ outcome: 'failed', error: { code: 'agent-protocol' } })
      await expectGone(report)
    })

    it('may flood, and is bounded', async () => {
      const before = process.memoryUsage().rss
      const { id, report } = begin([{ flood: 8_000 }, { say: 'end' }])
      expect(['succeeded', 'failed']).toContain((await report()).outcome)
      expect(kit.logs.text(id).length).toBeLessThan(2 * 1_048_576)
      expect(process.memoryUsage().rss - before).toBeLessThan(600 * 1_048_576)
      await expectGone(await report())
    })

    itWhere(traits.env)('does not get a planted secret out: not by its words, its log, or its errors', async () => {
      const more = { secretEnv: { PLANTED: 'PLANTED' } }
      const { id, report } = begin([{ leak: 'PLANTED' }, { fail: `it is ${secret}` }], more)
      const said = await perform([{ leak: 'PLANTED' }], more)
      expect(said.output).toEqual({ text: 'secret: ***' })
      expect(JSON.stringify(await report())).not.toContain(secret)
      expect(kit.logs.text(id) + kit.logs.text(id, 'stderr')).not.toContain(secret)
      expect(heard(id)).toContain(traits.streams === false ? '***' : 'secret: ***')
    })

    itWhere(traits.processes)('takes what it forked with it', async () => {
      const report = await perform([{ daemon: true }, { say: 'forked' }])
      expect(report.outcome).toBe('succeeded')
      await expectGone(report)
    })

    itWhere(traits.asks)('asks people, and heeds them', async () => {
      const { report } = begin([{ ask: 'run the tests', kind: 'execute' }])
      people.answer = (question) => ({ choice: question.choices.find((each) => each.meaning === 'allow-once')!.id })
      expect((await report()).output).toEqual({ text: 'allowed' })
      expect(people.questions).toHaveLength(1)
      expect(people.questions[0]).toMatchObject({
        kind: 'permission',
        message: expect.stringContaining('run the tests'),
      })
    })

    itWhere(traits.asks)('goes on with a no when nobody answers, and is alive while it waits', async () => {
      const { id, report } = begin([{ ask: 'fetch the world', kind: 'fetch' }])
      expect(await report()).toMatchObject({ outcome: 'succeeded', output: { text: 'refused' } })
      expect(port.progress.some((one) => one.taskId === id && one.note?.includes('fetch the world'))).toBe(true)
    })

    itWhere(traits.asks)('can be cancelled while it waits for an answer', async () => {
      const { id, report } = begin([{ ask: 'delete it all', kind: 'other' }, { hang: true }])
      await expect.poll(() => people.questions.length, { timeout: 20_000 }).toBe(1)
      port.cancel(id, 'never mind')
      expect(await report()).toMatchObject({ outcome: 'cancelled' })
      await expectGone(await report())
    })

    it('is ready for the next task after all that', async () => {
      expect(await perform([{ say: 'still here' }])).toMatchObject({ output: { text: 'still here' } })
    })
  })
}
