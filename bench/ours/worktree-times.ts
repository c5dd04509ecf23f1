import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeRepository } from '../../src/foundation/platform/git/git.fixture.ts'
import { createGit } from '../../src/foundation/platform/git/index.ts'
import { Workspaces } from '../../src/orchestration/workspaces/index.ts'

/** Milliseconds to make a worktree of a repository with so many files, and to remove it. */
export async function worktreeTimes(
  files: number,
  rounds: number,
): Promise<{ readonly made: number[]; readonly removed: number[] }> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'leanvibe-worktrees-')))
  try {
    const path = join(folder, 'repository')
    const content = Array.from({ length: files }, (_, n) => [`src/${n % 100}/file-${n}.ts`, `export const n = ${n}\n`])
    const commit = makeRepository(path, Object.fromEntries(content))
    const workspaces = new Workspaces({ folder: join(folder, 'workspaces'), git: createGit() })
    const made: number[] = []
    const removed: number[] = []
    for (let round = 0; round < rounds; round++) {
      const from = performance.now()
      const workspace = await workspaces.create({ id: `bench.${round}`, kind: 'worktree', repo: { path, commit } })
      made.push(performance.now() - from)
      const end = performance.now()
      await workspaces.remove(workspace, true)
      removed.push(performance.now() - end)
    }
    return { made, removed }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
