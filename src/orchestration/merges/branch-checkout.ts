import type { Git } from '../../foundation/platform/git/index.ts'
import { mergeErrors } from './merge-errors.ts'

/** The working trees of the repository in which `branch` is checked out. */
export async function checkoutsOf(git: Git, commonDir: string, branch: string): Promise<readonly string[]> {
  const found: string[] = []
  let path = ''
  const text = await git.text(commonDir, ['worktree', 'list', '--porcelain'])
  for (const line of text.split('\n')) {
    if (line.startsWith('worktree ')) path = line.slice('worktree '.length)
    else if (line === `branch refs/heads/${branch}`) found.push(path)
  }
  return found
}

/**
 * Whether a working tree can follow its branch from one commit to another: nothing that differs between the two was
 * edited there, nothing untracked is in the way, and no file would need a filter, which we do not run.
 * @throws merge-target-dirty
 */
export async function refuseDirty(git: Git, path: string, branch: string, from: string, to: string): Promise<void> {
  const filtered = await filteredFiles(git, path, from, to)
  if (filtered.length > 0) {
    throw mergeErrors['merge-target-dirty'](
      `${branch} is checked out in ${path}, and ${filtered.slice(0, 5).join(', ')} would have to be filtered there`,
    )
  }
  const { exitCode, stderr } = await git.run(path, ['read-tree', '--dry-run', '-m', '-u', from, to], {
    exitCodes: [0, 128],
    timeoutMs: 600_000,
  })
  if (exitCode === 0) return
  throw mergeErrors['merge-target-dirty'](
    `${branch} is checked out in ${path}, and cannot follow there: ${stderr.trim().slice(0, 500)}`,
  )
}

/** Lets a working tree follow its branch, as a fast-forward does. What was edited there stays as it is. */
export async function follow(git: Git, path: string, from: string, to: string): Promise<boolean> {
  const { exitCode } = await git.run(path, ['read-tree', '-m', '-u', from, to], {
    exitCodes: [0, 128],
    timeoutMs: 600_000,
  })
  return exitCode === 0
}

/** Files that differ and that attributes of either side give to a filter (large files in LFS, encrypted ones). */
async function filteredFiles(git: Git, path: string, from: string, to: string): Promise<readonly string[]> {
  const text = await git.text(path, ['diff-tree', '-r', '-z', '--name-only', '--no-renames', from, to])
  const files = text.split('\0').filter((name) => name !== '')
  if (files.length === 0) return []
  const input = files.map((name) => `${name}\0`).join('')
  const { stdout } = await git.run(path, ['check-attr', '-z', '--stdin', 'filter'], { input })
  const cells = stdout.toString('utf8').split('\0')
  return files.filter((_, index) => !['unspecified', 'unset', ''].includes(cells[index * 3 + 2] ?? ''))
}
