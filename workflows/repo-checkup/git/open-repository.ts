import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { defineErrors } from '../../../src/foundation/kernel/errors.ts'
import { createGit, type Git, type GitOptions } from '../../../src/foundation/platform/git/index.ts'

export const repositoryErrors = defineErrors({
  'checkup-no-such-commit': {
    kind: 'input',
    retry: 'never',
    when: 'the commit given to repo-checkup is not in the repository',
    next: 'Give --commit a commit, tag or branch that `git rev-parse` knows; in a shallow clone fetch it first.',
  },
})

export interface Repository extends AsyncDisposable {
  readonly name: string
  /** The commit looked at; null when the repository has none yet. */
  readonly commit: string | null
  /** The branch HEAD names, or null when it is detached. */
  readonly branch: string | null
  readonly bare: boolean
  readonly shallow: boolean
  /** Cloned with a filter: some objects are not here, and they are never fetched. */
  readonly partial: boolean
  /** True when the path lies below the top of its working tree; the whole repository is looked at all the same. */
  readonly subfolder: boolean
  /** Standard output of a git command. Leaving the loop ends git. */
  stream(
    args: readonly string[],
    options?: Pick<GitOptions, 'signal' | 'input'>,
  ): AsyncGenerator<Buffer, void, undefined>
}

/**
 * Opens a repository for reading. Its own configuration, attributes, refs and working tree are left behind: after one
 * look at where it keeps its objects, every command runs in an empty git folder of ours that borrows them. Dispose
 * removes that folder. Throws `not-a-repository`, `git-missing`, `checkup-no-such-commit`.
 */
export async function openRepository(path: string, revision = 'HEAD', signal?: AbortSignal): Promise<Repository> {
  const git = createGit()
  const found = await discover(git, resolve(path), revision, signal)
  const view = await mkdtemp(join(tmpdir(), 'repo-checkup-'))
  const remove = () => rm(view, { recursive: true, force: true })
  try {
    await layEmptyGitFolder(view, found)
  } catch (error) {
    await remove()
    throw error
  }
  const { name, commit, branch, bare, shallow, partial, subfolder } = found
  return {
    name,
    commit,
    branch,
    bare,
    shallow,
    partial,
    subfolder,
    stream: (args, options = {}) =>
      git.stream({ gitDir: view, workTree: view }, args, { ...options, timeoutMs: 3_600_000 }),
    [Symbol.asyncDispose]: remove,
  }
}

type Discovery = Pick<Repository, 'name' | 'commit' | 'branch' | 'bare' | 'shallow' | 'partial' | 'subfolder'> & {
  readonly objectFormat: string
  readonly objects: string
  readonly shallowFile: string
}

async function discover(git: Git, path: string, revision: string, signal: AbortSignal | undefined): Promise<Discovery> {
  const options = signal === undefined ? {} : { signal }
  const info = await git.inspect(path, options)
  const ask = (...args: string[]) => git.text(path, ['rev-parse', ...args], options)
  const commit = await resolveCommit(git, path, revision, signal)
  if (commit === null && (revision !== 'HEAD' || !info.empty)) {
    throw repositoryErrors['checkup-no-such-commit'](`no commit ${revision} in ${path}`)
  }
  const objects = resolve(path, await ask('--git-path', 'objects'))
  const packs = await readdir(join(objects, 'pack')).catch(() => [])
  const folder = info.topLevel ?? (basename(info.gitDir) === '.git' ? resolve(info.gitDir, '..') : info.gitDir)
  return {
    name: basename(folder).replace(/\.git$/, ''),
    commit,
    branch: info.branch,
    bare: info.bare,
    shallow: info.shallow,
    partial:
      commit !== null &&
      packs.some((name) => name.endsWith('.promisor')) &&
      (await lacksObjects(git, path, commit, signal)),
    subfolder: !info.bare && (await ask('--show-prefix')) !== '',
    objectFormat: await ask('--show-object-format'),
    objects,
    shallowFile: resolve(path, await ask('--git-path', 'shallow')),
  }
}

/** A promisor pack alone proves nothing: the rest may have been fetched since. The newest commits tell. */
async function lacksObjects(git: Git, path: string, commit: string, signal: AbortSignal | undefined): Promise<boolean> {
  const args = ['rev-list', '--objects', '--missing=print', '--max-count=500', commit]
  for await (const chunk of git.stream(path, args, signal && { signal })) {
    if (/(^|\n)\?/.test(chunk.toString('latin1'))) return true
  }
  return false
}

async function resolveCommit(
  git: Git,
  path: string,
  revision: string,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`]
  const { stdout, exitCode } = await git.run(path, args, { exitCodes: [0, 1, 128], ...(signal && { signal }) })
  return exitCode === 0 ? stdout.toString('latin1').trim() : null
}

/** Objects come through `alternates`; packs are mapped in small windows, and files above 2 MB are not compared line by line. */
async function layEmptyGitFolder(
  view: string,
  { objectFormat, commit, shallow, objects, shallowFile }: Discovery,
): Promise<void> {
  const extension = objectFormat === 'sha1' ? '' : `[extensions]\n\tobjectFormat = ${objectFormat}\n`
  await mkdir(join(view, 'refs'))
  await mkdir(join(view, 'objects', 'info'), { recursive: true })
  await writeFile(join(view, 'objects', 'info', 'alternates'), `${quoteGitPath(objects)}\n`)
  await writeFile(
    join(view, 'config'),
    `[core]\n\trepositoryformatversion = ${extension === '' ? 0 : 1}\n\tbigFileThreshold = 2m\n\tquotePath = true\n` +
      `\tpackedGitWindowSize = 64m\n\tpackedGitLimit = 256m\n\tdeltaBaseCacheLimit = 64m\n${extension}` +
      `[mailmap]\n\tblob = HEAD:.mailmap\n[diff]\n\trenames = false\n\talgorithm = myers\n`,
  )
  await writeFile(join(view, 'HEAD'), commit === null ? 'ref: refs/heads/none\n' : `${commit}\n`)
  if (shallow) await copyFile(shallowFile, join(view, 'shallow'))
}

/** As git itself quotes odd paths in an alternates file. */
export function quoteGitPath(path: string): string {
  if (!/["\\\p{Cc}]|^#/u.test(path)) return path
  const quote = (char: string) =>
    `\\${char === '"' || char === '\\' ? char : char.charCodeAt(0).toString(8).padStart(3, '0')}`
  return `"${path.replace(/["\\\p{Cc}]/gu, quote)}"`
}
