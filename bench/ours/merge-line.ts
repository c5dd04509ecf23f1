import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/foundation/kernel/clock.ts'
import { makeRepository, rawGit } from '../../src/foundation/platform/git/git.fixture.ts'
import { createGit } from '../../src/foundation/platform/git/index.ts'
import { createCommandAdapter } from '../../src/orchestration/agents/command-adapter.ts'
import { runChecks } from '../../src/orchestration/gates/run-checks.ts'
import { MemoryQueueJournal } from '../../src/orchestration/merges/memory-journal.fixture.ts'
import { createMergeWorker } from '../../src/orchestration/merges/merge-worker.ts'
import { MemoryExchange } from '../../src/orchestration/runners/memory-exchange.fixture.ts'
import { commandSpec, RunnerKit, registration } from '../../src/orchestration/runners/runner-kit.fixture.ts'
import type { ResolvedMerge } from '../../src/orchestration/workflows/task-contract.ts'

/**
 * Merges a minute into one branch: commits that all began at the same place, each rebased, checked by a small command and
 * merged, one after another or `batch` together.
 */
export async function mergesPerMinute(count: number, batch: number): Promise<number> {
  const kit = new RunnerKit()
  try {
    const repository = join(kit.folder, 'repository')
    const files = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`src/file-${n}.txt`, `${n}\n`]))
    const first = makeRepository(repository, files)
    const tree = join(kit.folder, 'side')
    const commits = Array.from({ length: count }, (_, n) => {
      rawGit(repository, 'worktree', 'add', '--quiet', '--detach', tree, first)
      mkdirSync(join(tree, 'made'), { recursive: true })
      writeFileSync(join(tree, 'made', `${n}.txt`), `${n}\n`)
      rawGit(tree, 'add', '--all')
      rawGit(tree, 'commit', '--quiet', `--message=work ${n}`)
      const commit = rawGit(tree, 'rev-parse', 'HEAD')
      rawGit(repository, 'worktree', 'remove', '--force', tree)
      return commit
    })
    const git = createGit()
    const tools = { git, artifacts: kit.artifacts }
    const journal = new MemoryQueueJournal()
    const merge = createMergeWorker({
      ...{ git, journal, clock: systemClock, batch },
      runChecks: (checks, place) => runChecks(checks, place, tools),
    })
    const adapter = createCommandAdapter({ supervisor: kit.supervisor, artifacts: kit.artifacts, workers: { merge } })
    const hosted = { registration: registration('merger', 1), adapter, env: { PATH: '/usr/bin:/bin' } }
    const port = new MemoryExchange([hosted.registration])
    const from = performance.now()
    for (const commit of commits) {
      const spec = {
        ...{ ...commandSpec([]), argv: undefined, stdin: undefined },
        ...{ kind: 'merge', workspace: 'worktree', base: 'refs/heads/main', commit, into: 'main', method: 'rebase' },
        ...{ checks: [{ name: 'tests', onFail: 'block', argv: ['true'] }], onConflict: 'fail', message: null },
      } as unknown as ResolvedMerge
      journal.enter(port.enqueue(spec, { repo: { path: repository, commit: first } }), spec, spec.stepId)
    }
    kit.runner(port, [hosted], { pollMs: 20 })
    await port.settled(count)
    const minutes = (performance.now() - from) / 60_000
    const failed = port.accepted.find(({ outcome }) => outcome !== 'succeeded')
    if (failed !== undefined) throw new Error(`a merge failed: ${failed.error?.message}`)
    const merged = rawGit(repository, 'rev-list', '--count', `${first}..refs/heads/main`)
    if (Number(merged) !== count) throw new Error(`${merged} commits of ${count} are on the branch`)
    return count / minutes
  } finally {
    await kit.close()
  }
}
