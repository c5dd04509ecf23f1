import { lstat, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Git } from '../../foundation/platform/git/index.ts'
import type { WorkspaceCommit, WorkspaceTree } from './workspace.ts'

export interface CommitWorktree {
  readonly path: string
  readonly tree: WorkspaceTree
  readonly message: string
  readonly author: { readonly name: string; readonly email: string }
  /** ISO 8601. */
  readonly at: string
  readonly signal?: AbortSignal
}

const gitlink = '160000'

/**
 * Commits everything that a task left in its worktree, on top of what it committed itself. By plumbing alone: no hook
 * runs, nothing inside nested repositories is looked at, and HEAD stays where it is. The processes of the task must be dead.
 */
export async function commitWorktree(git: Git, request: CommitWorktree): Promise<WorkspaceCommit> {
  const { tree, path, signal } = request
  const place = { gitDir: tree.gitDir, workTree: path }
  const options = { timeoutMs: 600_000, ...(signal === undefined ? {} : { signal }) }
  // Left by a git that was killed with the task.
  await rm(join(tree.gitDir, 'index.lock'), { force: true })
  const changes = await listChanges(git, place, options)
  const update = async (flags: readonly string[], paths: readonly string[]) => {
    if (paths.length === 0) return
    const input = paths.map((name) => `${name}\0`).join('')
    await git.run(place, ['update-index', ...flags, '-z', '--stdin'], { ...options, input })
  }
  await update(['--force-remove'], changes.removed)
  await update(['--add', '--remove', '--replace'], changes.updated)
  const head = await git.run(place, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], {
    ...options,
    exitCodes: [0, 1, 128],
  })
  const parent = head.exitCode === 0 ? head.stdout.toString('utf8').trim() : tree.base
  const written = await git.text(place, ['write-tree'], options)
  const before = await git.text(place, ['rev-parse', '--verify', `${parent}^{tree}`], options)
  let commit = parent
  if (written !== before) {
    const { name, email } = request.author
    commit = await git.text(place, ['commit-tree', written, '-p', parent, '-m', request.message], {
      ...options,
      variables: {
        GIT_AUTHOR_NAME: name,
        GIT_AUTHOR_EMAIL: email,
        GIT_AUTHOR_DATE: request.at,
        GIT_COMMITTER_NAME: name,
        GIT_COMMITTER_EMAIL: email,
        GIT_COMMITTER_DATE: request.at,
      },
    })
  }
  return { commit, changed: commit !== tree.base, skipped: changes.skipped }
}

async function listChanges(
  git: Git,
  place: { readonly gitDir: string; readonly workTree: string },
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
) {
  const updated = new Set<string>()
  const removed: string[] = []
  const skipped: string[] = []
  for await (const record of git.records(place, ['ls-files', '-z', '--stage', '--modified', '--unmerged'], options)) {
    const name = record.slice(record.indexOf('\t') + 1)
    const stat = await lstat(join(place.workTree, name)).catch(() => null)
    // A file that became a folder is gone; what lies in the folder is listed below.
    if (stat === null || (stat.isDirectory() && !record.startsWith(gitlink))) removed.push(name)
    else updated.add(name)
  }
  for await (const name of git.records(place, ['ls-files', '-z', '--others', '--exclude-standard'], options)) {
    if (name.endsWith('/')) skipped.push(name)
    else updated.add(name)
  }
  return { updated: [...updated], removed, skipped }
}
