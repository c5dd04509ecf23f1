import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../foundation/kernel/clock.ts'
import { makeRepository, rawGit } from '../../foundation/platform/git/git.fixture.ts'
import { createGit } from '../../foundation/platform/git/index.ts'
import { createCommandAdapter } from '../agents/command-adapter.ts'
import { runChecks } from '../gates/run-checks.ts'
import { MemoryExchange } from '../runners/memory-exchange.fixture.ts'
import { commandSpec, RunnerKit, registration } from '../runners/runner-kit.fixture.ts'
import type { ResolvedCheck, ResolvedMerge } from '../workflows/task-contract.ts'
import { fitTogether, splitBatch, type Waiting } from './batch-rules.ts'
import { MemoryQueueJournal } from './memory-journal.fixture.ts'
import { createMergeWorker } from './merge-worker.ts'

let kit: RunnerKit
let port: MemoryExchange
let repository: string
let first: string
let journal: MemoryQueueJournal
let ready: () => void

/** What is bad is so by itself: a file `broken-N`. Each run of the check is a line of `runs`, which says what was there. */
const check = `ls -d new-* 2>/dev/null | tr '\\n' ' ' >> "$1"; echo >> "$1"; test "$(ls -d broken-* 2>/dev/null)" = "" || { ls broken-*; exit 1; }\n`

beforeEach(() => {
  kit = new RunnerKit()
  repository = join(kit.folder, 'repository')
  first = makeRepository(repository, { 'a.txt': 'a\nb\nc\n', 'check.sh': check, other: 'x\n' })
  journal = new MemoryQueueJournal()
  const git = createGit()
  const worker = createMergeWorker({
    ...{ git, journal, clock: systemClock, batch: 8 },
    runChecks: (checks, place) => runChecks(checks, place, { git, artifacts: kit.artifacts }),
  })
  const { supervisor, artifacts } = kit
  const adapter = createCommandAdapter({ supervisor, artifacts, workers: { merge: worker } })
  const hosted = { registration: registration('merger', 1), adapter, env: { PATH: '/usr/bin:/bin' } }
  port = new MemoryExchange([hosted.registration])
  ready = () => void kit.runner(port, [hosted], { pollMs: 20 })
})
afterEach(async () => {
  expect(kit.errors).toEqual([])
  await kit.close()
})

function commitOf(files: Readonly<Record<string, string>>, message: string): string {
  const tree = join(kit.folder, 'side')
  rawGit(repository, 'worktree', 'add', '--quiet', '--detach', tree, first)
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

const runsFile = () => join(kit.folder, 'runs')
const runs = () =>
  readFileSync(runsFile(), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.trim())
const tests = (): ResolvedCheck => ({ name: 'tests', onFail: 'block', argv: ['sh', 'check.sh', runsFile()] })

function specOf(commit: string, step: string, more: Partial<ResolvedMerge> = {}): ResolvedMerge {
  return {
    ...{ ...commandSpec([]), argv: undefined, stdin: undefined, stepId: step },
    ...{ kind: 'merge', workspace: 'worktree', base: 'refs/heads/main', commit, into: 'main', method: 'rebase' },
    ...{ checks: [tests()], onConflict: 'hand-back', message: null, ...more },
  } as unknown as ResolvedMerge
}

/** Puts merges into the queue, lets them be done, and resolves to what each of them puts out. */
async function merge(changes: readonly Readonly<Record<string, string>>[], more: Partial<ResolvedMerge> = {}) {
  const ids = changes.map((files, n) => {
    const step = `m${n}`
    const spec = specOf(commitOf(files, `change ${n}`), step, more)
    const id = port.enqueue(spec, { repo: { path: repository, commit: first }, step })
    journal.enter(id, spec, step)
    return id
  })
  ready()
  await port.settled(ids.length)
  return ids.map((id) => port.reportOf(id)!)
}

const fine = (n: number) => ({ [`new-${n}`]: `${n}\n` })
const bad = (n: number) => ({ [`new-${n}`]: `${n}\n`, [`broken-${n}`]: '' })
const states = (reports: Awaited<ReturnType<typeof merge>>) =>
  reports.map(({ output }) => (output as { state: string } | null)?.state)
/** What the branch has been, the oldest first. */
const stood = () => rawGit(repository, 'reflog', 'show', '--format=%H', 'main').split('\n').toReversed()
const messages = () => rawGit(repository, 'log', '--reverse', '--format=%s', `${first}..main`).split('\n')

it('those that wait are put on one another, tested in one run of the checks, and land at once, in their order', async () => {
  const reports = await merge([0, 1, 2, 3, 4].map(fine), { method: 'rebase' })
  expect(states(reports)).toEqual(Array(5).fill('merged'))
  expect(runs()).toEqual(['new-0 new-1 new-2 new-3 new-4'])
  expect(messages()).toEqual([0, 1, 2, 3, 4].map((n) => `change ${n}`))
  const outputs = reports.map(
    ({ output }) => output as { target: string; commit: string; checks: { passed: boolean }[] },
  )
  expect(outputs.map(({ target }) => target)).toEqual([first, ...outputs.slice(0, -1).map(({ commit }) => commit)])
  expect(outputs.map(({ checks }) => checks.map(({ passed }) => passed))).toEqual(Array(5).fill([true]))
  // What the one run cost is divided among them; the first has its own time besides.
  const usages = reports.map(({ usage }) => usage)
  expect(new Set(usages.map(({ cpuSeconds }) => cpuSeconds)).size).toBe(1)
  expect(new Set(usages.slice(1).map(({ wallSeconds }) => wallSeconds)).size).toBe(1)
  expect(usages[1]!.wallSeconds).toBeGreaterThan(0)
  expect(usages[0]!.wallSeconds).toBeGreaterThan(usages[1]!.wallSeconds)
  // The branch itself moved once; the evidence of the one run stands with each of them.
  expect(stood().slice(-2)).toEqual([first, outputs[4]!.commit])
  expect(reports.map(({ artifacts }) => artifacts.map(({ name }) => name))).toEqual(
    [0, 1, 2, 3, 4].map((n) => [`gate/m${n}/tests.txt`]),
  )
  expect(rawGit(repository, 'status', '--porcelain')).toBe('')
})

it.each([[[0]], [[5]], [[2, 3]]])(
  'of eight, %j do not pass: they come back with their evidence, the others land in order',
  async (wrong) => {
    const reports = await merge(Array.from({ length: 8 }, (_, n) => (wrong.includes(n) ? bad(n) : fine(n))))
    expect(states(reports)).toEqual(Array.from({ length: 8 }, (_, n) => (wrong.includes(n) ? 'refused' : 'merged')))
    const right = [0, 1, 2, 3, 4, 5, 6, 7].filter((n) => !wrong.includes(n))
    expect(messages()).toEqual(right.map((n) => `change ${n}`))
    for (const n of wrong) {
      expect((reports[n]!.output as { conflict: string }).conflict).toContain(`broken-${n}`)
      expect(reports[n]!.artifacts.map(({ name }) => name)).toEqual([`gate/m${n}/tests.txt`])
      for (const other of wrong.filter((each) => each !== n))
        expect((reports[n]!.output as { conflict: string }).conflict).not.toContain(`broken-${other}`)
    }
    // Whatever the branch stood at had been tested as it was, and passed.
    for (const commit of stood()) {
      const files = rawGit(repository, 'ls-tree', '--name-only', commit).split('\n')
      expect(files.filter((name) => name.startsWith('broken-'))).toEqual([])
      const there = files.filter((name) => name.startsWith('new-'))
      if (there.length > 0) expect(runs()).toContain(there.join(' '))
    }
    expect(runs().length).toBeLessThan(wrong.length === 1 ? 8 : 12)
  },
)

it('a batch ends before the first that does not fit, which is handed back in its turn', async () => {
  const reports = await merge([
    { 'a.txt': 'a\nmine\nc\n', 'new-0': '' },
    fine(1),
    { 'a.txt': 'a\ntheirs\nc\n' },
    fine(3),
    fine(4),
  ])
  expect(states(reports)).toEqual(['merged', 'merged', 'conflict', 'merged', 'merged'])
  expect((reports[2]!.output as { conflict: string }).conflict).toContain('<<<<<<<')
  expect(runs()).toEqual(['new-0 new-1', 'new-0 new-1 new-3 new-4'])
})

it('the size of each change is judged by itself', async () => {
  const lines = (count: number, n: number) => ({ [`new-${n}`]: 'line\n'.repeat(count) })
  const size = { name: 'size', onFail: null, check: 'size', max: 6 } as unknown as ResolvedCheck
  const reports = await merge([lines(5, 0), lines(5, 1), lines(9, 2), lines(5, 3)], { checks: [tests(), size] })
  expect(states(reports)).toEqual(['merged', 'merged', 'refused', 'merged'])
  expect(runs()).toEqual(['new-0 new-1', 'new-0 new-1 new-2', 'new-0 new-1 new-3'])
  expect(reports[1]!.output).toMatchObject({ checks: [{ name: 'size', facts: { lines: 5 } }, { name: 'tests' }] })
})

it('what is in the way of another does not hold up the first', async () => {
  writeFileSync(join(repository, 'a.txt'), 'edited\n')
  const reports = await merge([fine(0), { 'a.txt': 'changed\n' }, fine(2)])
  expect(states(reports)).toEqual(['merged', undefined, 'merged'])
  expect(reports[1]).toMatchObject({ outcome: 'failed', error: { code: 'merge-target-dirty' } })
  expect(readFileSync(join(repository, 'a.txt'), 'utf8')).toBe('edited\n')
})

it('one that is cancelled while several are tested does not get in', async () => {
  journal.onNoteAll = (event) => {
    const gone = [...journal.entries.values()][1]!
    if (event === 'land' && gone.state === 'testing') Object.assign(gone, { state: 'cancelled', batch: null })
  }
  const changes = [fine(0), fine(1), fine(2)]
  const ids = changes.map((files, n) => {
    const spec = specOf(commitOf(files, `change ${n}`), `m${n}`)
    const id = port.enqueue(spec, { repo: { path: repository, commit: first }, step: `m${n}` })
    journal.enter(id, spec, `m${n}`)
    return id
  })
  ready()
  await expect
    .poll(() => ids.filter((id) => journal.entries.get(id)!.state === 'merged').length, { timeout: 60_000 })
    .toBe(2)
  expect(messages()).toEqual(['change 0', 'change 2'])
})

it('who is tested together: nobody is overtaken, never more than any of them takes, none whose past decides', () => {
  const entry = fc.record({
    most: fc.option(fc.integer({ min: 1, max: 9 })),
    batch: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    pool: fc.constantFrom('local', 'local', 'local', 'other'),
  })
  const waitingOf = ({
    most,
    batch,
    pool,
  }: {
    most: number | null
    batch?: number | undefined
    pool: string
  }): Waiting => ({
    most,
    spec: { ...specOf('c', 's', { checks: [] }), pool, ...(batch === undefined ? {} : { batch }) },
  })
  fc.assert(
    fc.property(entry, fc.array(entry, { maxLength: 12 }), fc.integer({ min: 1, max: 10 }), (one, others, most) => {
      const [first, line] = [waitingOf(one), others.map(waitingOf)]
      const taken = fitTogether(first, line, most)
      expect(taken).toEqual(line.slice(0, taken.length))
      // What one says itself counts instead of what is usual.
      const roomOf = (one: Waiting) => Math.min(one.spec.batch ?? most, one.most ?? 99)
      const limits = [first, ...taken].map(roomOf)
      expect(taken.length === 0 || taken.length + 1 <= Math.min(...limits)).toBe(true)
      expect(taken.every(({ spec }) => spec.pool === first.spec.pool)).toBe(true)
      // As many as go: the next one, if any, is what ends it.
      const next = line[taken.length]
      const room = Math.min(...limits, ...(next === undefined ? [] : [roomOf(next)]))
      expect(next === undefined || next.spec.pool !== first.spec.pool || taken.length + 2 > room).toBe(true)
    }),
  )
  const weighed = specOf('c', 's', {
    checks: [{ check: 'confidence', name: 'confidence' } as unknown as ResolvedCheck],
  })
  expect(fitTogether({ spec: weighed, most: null }, [{ spec: weighed, most: null }], 8)).toEqual([])
  for (let count = 2; count <= 50; count++) {
    const { first: kept, rest } = splitBatch(count)
    expect(kept).toBeGreaterThanOrEqual(1)
    expect(rest).toBeGreaterThanOrEqual(1)
    // It comes to an end: what is tested next is smaller than what failed.
    expect(Math.max(kept, rest)).toBeLessThan(count)
  }
})
