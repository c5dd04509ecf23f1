import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../foundation/kernel/clock.ts'
import { makeRepository, rawGit } from '../../foundation/platform/git/git.fixture.ts'
import { createGit } from '../../foundation/platform/git/index.ts'
import { createCommandAdapter } from '../agents/command-adapter.ts'
import type { CheckReport } from '../gates/gate-verdict-contract.ts'
import { runChecks } from '../gates/run-checks.ts'
import { MemoryExchange } from '../runners/memory-exchange.fixture.ts'
import { commandSpec, RunnerKit, registration } from '../runners/runner-kit.fixture.ts'
import type { ResolvedMerge } from '../workflows/task-contract.ts'
import type { MergeJournal, MergeNote } from './merge-journal.ts'
import { type MergeState, mergeStates } from './merge-states-contract.ts'
import { createMergeWorker } from './merge-worker.ts'

/** A journal in memory that keeps the table of states, as the real one does. */
class MemoryJournal implements MergeJournal {
  state: MergeState = 'queued'
  record: { target: string | null; candidate: string | null } = { target: null, candidate: null }
  readonly seen: MergeState[] = []
  onNote: (event: string, note: MergeNote) => void = () => {}
  onWeigh: (reports: readonly CheckReport[]) => readonly CheckReport[] = (reports) => reports

  async read() {
    return { state: this.state, ...this.record }
  }

  async weigh(_assignment: unknown, reports: readonly CheckReport[]) {
    return this.onWeigh(reports)
  }

  async behind() {
    return []
  }

  async noteAll() {
    return false
  }

  async part() {}

  async note(_assignment: unknown, event: keyof (typeof mergeStates)['queued'], note: MergeNote = {}) {
    const next = mergeStates[this.state][event]
    if (next === null) throw new Error(`${this.state} does not take ${event}`)
    this.state = next
    this.record = { target: note.target ?? this.record.target, candidate: note.candidate ?? this.record.candidate }
    this.seen.push(next)
    this.onNote(event, note)
  }
}

let kit: RunnerKit
let port: MemoryExchange
let repository: string
let first: string
let journal: MemoryJournal

beforeEach(() => {
  kit = new RunnerKit()
  repository = join(kit.folder, 'repository')
  first = makeRepository(repository, { 'a.txt': 'a\nb\nc\n', 'check.sh': 'test ! -e broken\n', other: 'x\n' })
  journal = new MemoryJournal()
  const git = createGit()
  const tools = { git, artifacts: kit.artifacts }
  const worker = createMergeWorker({
    ...{ git, journal, clock: systemClock },
    runChecks: (checks, place) => runChecks(checks, place, tools),
  })
  const adapter = createCommandAdapter({
    ...{ supervisor: kit.supervisor, artifacts: kit.artifacts },
    workers: { merge: worker },
  })
  const hosted = { registration: registration('merger', 2), adapter, env: { PATH: '/usr/bin:/bin' } }
  port = new MemoryExchange([hosted.registration])
  kit.runner(port, [hosted], { pollMs: 50 })
})
afterEach(async () => {
  expect(kit.errors).toEqual([])
  await kit.close()
})

/** A commit beside the branch, as an agent leaves it: nothing is checked out. */
function commitOn(base: string, files: Readonly<Record<string, string>>, message = 'work'): string {
  const tree = join(kit.folder, `side-${Math.random().toString(36).slice(2)}`)
  rawGit(repository, 'worktree', 'add', '--quiet', '--detach', tree, base)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, name)), { recursive: true })
    writeFileSync(join(tree, name), text)
  }
  rawGit(tree, 'add', '--all')
  rawGit(tree, 'commit', '--quiet', `--message=${message}`)
  const commit = rawGit(tree, 'rev-parse', 'HEAD')
  rawGit(repository, 'worktree', 'remove', '--force', tree)
  return commit
}

async function merge(commit: string, more: Partial<ResolvedMerge> = {}) {
  const spec: ResolvedMerge = {
    ...{ ...commandSpec([]), argv: undefined, stdin: undefined },
    ...{ kind: 'merge', workspace: 'worktree', base: 'refs/heads/main', commit, into: 'main', method: 'rebase' },
    ...{ checks: [{ name: 'tests', onFail: 'block', argv: ['sh', 'check.sh'] }], onConflict: 'fail', message: null },
    ...more,
  } as ResolvedMerge
  const before = port.accepted.length
  const id = port.enqueue(spec, { repo: { path: repository, commit: first } })
  await port.settled(before + 1)
  return port.reportOf(id)!
}

const tip = () => rawGit(repository, 'rev-parse', 'main')
const clean = () => rawGit(repository, 'status', '--porcelain')

it('moves the branch to the commit itself where it can, and the working tree follows', async () => {
  const commit = commitOn(first, { 'new.txt': 'new\n' })
  const report = await merge(commit)
  expect(report).toMatchObject({
    outcome: 'succeeded',
    output: { state: 'merged', merged: true, commit, target: first },
  })
  expect(tip()).toBe(commit)
  expect(readFileSync(join(repository, 'new.txt'), 'utf8')).toBe('new\n')
  expect(clean()).toBe('')
  expect(journal.seen).toEqual(['rebasing', 'testing', 'landing', 'merged'])
})

it('puts each commit on top of a branch that has moved, keeps authors and messages, and leaves out what is there', async () => {
  const one = commitOn(first, { one: '1\n' }, 'one')
  const two = commitOn(one, { two: '2\n' }, 'two')
  writeFileSync(join(repository, 'one'), '1\n')
  rawGit(repository, 'add', '--all')
  rawGit(repository, 'commit', '--quiet', '--message=the same by hand')
  expect(await merge(two)).toMatchObject({ output: { merged: true } })
  expect(rawGit(repository, 'log', '--format=%s by %an', `${first}..main`).split('\n')).toEqual([
    'two by Ann',
    'the same by hand by Ann',
  ])
  expect(rawGit(repository, 'log', '-1', '--format=%cn')).toBe('LeanVibe')
  journal.state = 'queued'
  expect(await merge(two)).toMatchObject({ output: { merged: true, commit: tip() } })
})

it.each(['merge', 'squash'] as const)('%s: as one commit, with the message of the step', async (method) => {
  const two = commitOn(commitOn(first, { one: '1\n' }), { two: '2\n' })
  expect(await merge(two, { method, message: 'Bring it in' })).toMatchObject({ output: { merged: true } })
  expect(rawGit(repository, 'log', '-1', '--format=%s')).toBe('Bring it in')
  expect(rawGit(repository, 'rev-list', '--count', '--first-parent', 'main')).toBe('2')
  expect(rawGit(repository, 'log', '-1', '--format=%P').split(' ')).toHaveLength(method === 'merge' ? 2 : 1)
})

it('what does not pass on top of the branch does not get there', async () => {
  const commit = commitOn(first, { broken: '' })
  const report = await merge(commit)
  expect(report).toMatchObject({ outcome: 'failed', error: { code: 'merge-refused', retry: 'never' } })
  expect(report.artifacts.map(({ name }) => name)).toEqual(['gate/step/tests.txt'])
  expect(tip()).toBe(first)
  journal.state = 'queued'
  const back = await merge(commit, { onConflict: 'hand-back' })
  expect(back).toMatchObject({ outcome: 'succeeded', output: { state: 'refused', merged: false, failed: 'tests' } })
})

it('a conflict leaves the branch alone and comes back as text that a next task can work on', async () => {
  const commit = commitOn(first, { 'a.txt': 'a\nmine\nc\n' })
  writeFileSync(join(repository, 'a.txt'), 'a\ntheirs\nc\n')
  rawGit(repository, 'commit', '--quiet', '--all', '--message=theirs')
  const before = tip()
  const report = await merge(commit, { onConflict: 'hand-back' })
  const output = report.output as { conflict: string }
  expect(report.output).toMatchObject({ state: 'conflict', merged: false, files: ['a.txt'], target: before })
  for (const part of ['<<<<<<<', 'mine', 'theirs', '|||||||', '>>>>>>>', 'a.txt'])
    expect(output.conflict).toContain(part)
  journal.state = 'queued'
  expect(await merge(commit)).toMatchObject({ outcome: 'failed', error: { code: 'merge-conflict' } })
  expect([tip(), clean()]).toEqual([before, ''])
})

it('begins again where somebody moved the branch while the result was tested', async () => {
  const commit = commitOn(first, { new: 'new\n' })
  let moved = ''
  journal.onNote = (event) => {
    if (event !== 'test' || moved !== '') return
    moved = commitOn(first, { hasty: '1\n' }, 'hasty')
    rawGit(repository, 'reset', '--quiet', '--hard', moved)
  }
  expect(await merge(commit)).toMatchObject({ output: { merged: true, target: moved } })
  expect(journal.seen).toEqual(['rebasing', 'testing', 'landing', 'rebasing', 'testing', 'landing', 'merged'])
  expect(rawGit(repository, 'ls-tree', '--name-only', 'main').split('\n')).toEqual([
    'a.txt',
    'check.sh',
    'hasty',
    'new',
    'other',
  ])
})

it('a working tree with edits in the way is not touched, and edits elsewhere stay', async () => {
  const commit = commitOn(first, { 'a.txt': 'changed\n' })
  writeFileSync(join(repository, 'a.txt'), 'edited\n')
  expect(await merge(commit)).toMatchObject({
    outcome: 'failed',
    error: { code: 'merge-target-dirty', retry: 'later' },
  })
  expect([tip(), readFileSync(join(repository, 'a.txt'), 'utf8')]).toEqual([first, 'edited\n'])
  rawGit(repository, 'checkout', '--quiet', 'a.txt')
  writeFileSync(join(repository, 'other'), 'edited\n')
  expect(await merge(commit)).toMatchObject({ output: { merged: true } })
  expect([tip(), clean()]).toEqual([commit, ' M other'])
})

it('a branch that is checked out nowhere moves without any working tree', async () => {
  rawGit(repository, 'branch', 'next')
  const commit = commitOn(first, { new: 'new\n' })
  const into = { into: 'next', base: 'refs/heads/next' }
  expect(await merge(commit, into)).toMatchObject({ output: { merged: true, into: 'next' } })
  expect([tip(), existsSync(join(repository, 'new'))]).toEqual([first, false])
  expect(rawGit(repository, 'rev-parse', 'next')).toBe(commit)
  journal.state = 'queued'
  journal.record = { target: null, candidate: null }
  expect(await merge('nowhere', into)).toMatchObject({ error: { code: 'merge-target-missing' } })
})

it.each([
  ['before the branch moved', false],
  ['after it had moved, with the working tree left behind', true],
])('an attempt that died %s is finished by the next, once', async (_, moved) => {
  const commit = commitOn(first, { new: 'new\n' })
  journal.state = 'landing'
  journal.record = { target: first, candidate: commit }
  if (moved) rawGit(repository, 'update-ref', 'refs/heads/main', commit, first)
  expect(await merge(commit)).toMatchObject({ output: { merged: true, commit, target: first } })
  expect([tip(), clean()]).toEqual([commit, ''])
  expect(rawGit(repository, 'rev-list', '--count', 'main')).toBe('2')
})
