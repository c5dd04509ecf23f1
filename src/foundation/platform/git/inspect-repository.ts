import { lstatSync } from 'node:fs'
import type { Git, GitOptions } from './git.ts'
import { gitErrors } from './git-errors.ts'

export interface RepositoryInfo {
  /** The folder to work from: the top of the working tree, or the git folder of a bare repository. */
  readonly path: string
  /** Null in a bare repository. */
  readonly topLevel: string | null
  readonly gitDir: string
  /** The git folder that all worktrees share; equal to `gitDir` in the main one. */
  readonly commonDir: string
  /** Null where nothing is committed yet. */
  readonly head: string | null
  /** Null where HEAD is detached. */
  readonly branch: string | null
  readonly bare: boolean
  /** History was cut off when it was cloned. */
  readonly shallow: boolean
  /** No commit yet. */
  readonly empty: boolean
  /** A linked worktree of another repository. */
  readonly linked: boolean
}

/** @throws not-a-repository with the reason, git-missing */
export async function inspectRepository(
  git: Git,
  path: string,
  options: Pick<GitOptions, 'signal' | 'timeoutMs'>,
): Promise<RepositoryInfo> {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) throw gitErrors['not-a-repository'](`${path} does not exist`)
  const ask = (...args: string[]) => git.text(path, ['rev-parse', ...args], options)
  const flags = (await ask('--is-bare-repository', '--is-inside-work-tree', '--is-shallow-repository')).split('\n')
  const bare = flags[0] === 'true'
  if (!bare && flags[1] !== 'true') {
    throw gitErrors['not-a-repository'](`${path} lies inside the git folder of a repository, not in its working tree`)
  }
  // One question a path, because a path may hold line breaks.
  const [gitDir, commonDir, topLevel, head, branch] = await Promise.all([
    ask('--absolute-git-dir'),
    ask('--path-format=absolute', '--git-common-dir'),
    bare ? null : ask('--show-toplevel'),
    optional(git, path, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], options),
    optional(git, path, ['symbolic-ref', '--quiet', '--short', 'HEAD'], options),
  ])
  return {
    path: topLevel ?? gitDir,
    topLevel,
    gitDir,
    commonDir,
    head,
    branch,
    bare,
    shallow: flags[2] === 'true',
    empty: head === null,
    linked: gitDir !== commonDir,
  }
}

async function optional(git: Git, path: string, args: string[], options: GitOptions): Promise<string | null> {
  const { stdout, exitCode } = await git.run(path, args, { ...options, exitCodes: [0, 1] })
  return exitCode === 0 ? stdout.toString('utf8').replace(/\n$/, '') : null
}
