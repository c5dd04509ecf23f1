import type { Git } from '../../foundation/platform/git/index.ts'
import type { WorkspaceTree } from './workspace.ts'

/** Beyond this a difference is cut; what it is of stays in the repository. */
export const mostDiffBytes = 8 * 1_048_576

/**
 * What a worktree's work changed, as a patch with two lines before it that name both commits. Renames are told as what they
 * are made of, so that the text depends on nothing but the commits.
 */
export async function diffCommit(
  git: Git,
  request: {
    readonly path: string
    readonly tree: WorkspaceTree
    readonly commit: string
    readonly signal?: AbortSignal
  },
): Promise<string> {
  const { path, tree, commit, signal } = request
  const place = { gitDir: tree.gitDir, workTree: path }
  const options = { timeoutMs: 600_000, ...(signal === undefined ? {} : { signal }) }
  const args = ['diff-tree', '-r', '-p', '--no-renames', '--no-color', '--full-index', tree.base, commit]
  const parts: Buffer[] = []
  let size = 0
  for await (const part of git.stream(place, args, options)) {
    parts.push(part.subarray(0, mostDiffBytes - size))
    size += part.length
    if (size >= mostDiffBytes) break
  }
  const cut = size >= mostDiffBytes ? '\n(cut here)\n' : ''
  return `base ${tree.base}\ncommit ${commit}\n\n${Buffer.concat(parts).toString('utf8')}${cut}`
}
