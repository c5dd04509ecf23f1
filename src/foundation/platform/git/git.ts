import { safeArguments } from './git-arguments.ts'
import { absoluteEntries, defaultSearchPath, fixedConfig, gitEnvironment } from './git-environment.ts'
import { gitErrors } from './git-errors.ts'
import { collectOutput, type GitProcess, startGit } from './git-process.ts'
import { inspectRepository, type RepositoryInfo } from './inspect-repository.ts'
import { disarmDrivers } from './planted-config.ts'
import { splitRecords } from './split-records.ts'

/**
 * A folder inside a repository, or both folders named outright: then nothing that lies in the working tree (a planted
 * `.git`) can lead git to another repository.
 */
export type GitPlace = string | { readonly gitDir: string; readonly workTree: string }

export interface GitOptions {
  readonly signal?: AbortSignal
  /** Milliseconds until git is ended. Default 60,000; for streams 600,000. */
  readonly timeoutMs?: number
  /** Most bytes of output that are kept. Default 64 MiB; more is `git-output-too-large`. Streams have no limit of their own. */
  readonly maxBytes?: number
  /** What git reads from standard input. Default: nothing. */
  readonly input?: string | Uint8Array | AsyncIterable<string | Uint8Array>
  /** Transports that may be used (`https`, `ssh`, `file`). Default: none, nothing leaves the repository. */
  readonly protocols?: readonly string[]
  /** Exit codes that are answers, not errors. Default [0]. */
  readonly exitCodes?: readonly number[]
  /** `GIT_AUTHOR_*`, `GIT_COMMITTER_*`, `GIT_INDEX_FILE`: nothing else is let through. */
  readonly variables?: Readonly<Record<string, string>>
  /** Further settings for this command. */
  readonly config?: readonly (readonly [key: string, value: string])[]
}

export interface GitResult {
  readonly stdout: Buffer
  readonly stderr: string
  readonly exitCode: number
}

/**
 * The one door to git. Repositories are hostile input: no hook, filter, external diff, text conversion, credential
 * helper, alias, pager, prompt or transport that a repository names is ever run, and no configuration of the user or
 * the system is read. Errors: `git-missing`, `not-a-repository`, `git-failed`, `git-timeout`, `git-output-too-large`,
 * `git-refused`.
 */
export interface Git {
  run(place: GitPlace, args: readonly string[], options?: GitOptions): Promise<GitResult>
  /** Standard output as text, without the last line break. */
  text(place: GitPlace, args: readonly string[], options?: GitOptions): Promise<string>
  /** Standard output as it comes, at the reader's pace. Leaving the loop ends git; its errors are thrown at the end. */
  stream(place: GitPlace, args: readonly string[], options?: GitOptions): AsyncGenerator<Buffer, void, undefined>
  /** Standard output cut at `separator`: NUL for `-z` commands (default), or a line break. */
  records(
    place: GitPlace,
    args: readonly string[],
    options?: GitOptions & { readonly separator?: '\0' | '\n' },
  ): AsyncGenerator<string, void, undefined>
  /** What kind of repository holds `path`. */
  inspect(path: string, options?: Pick<GitOptions, 'signal' | 'timeoutMs'>): Promise<RepositoryInfo>
  /** For example `2.39.5`. */
  version(options?: Pick<GitOptions, 'signal'>): Promise<string>
}

export interface GitSettings {
  /** Folders in which git is looked for, joined by colons; relative ones are left out. Default: the usual places. */
  readonly searchPath?: string
}

/** Older ones do not know the settings by which a repository's own are overridden, and would not say so. */
async function refuseOldGit(git: Git): Promise<void> {
  const version = await git.version()
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > 2 || (major === 2 && minor >= 32)) return
  throw gitErrors['git-missing'](`git ${version} is too old to be used safely; 2.32 or newer is needed`)
}

export function createGit(settings: GitSettings = {}): Git {
  const searchPath = absoluteEntries(settings.searchPath ?? defaultSearchPath)

  let checked: Promise<void> | null = null
  const checkVersion = () => {
    checked ??= refuseOldGit(git).catch((error) => {
      checked = null
      throw error
    })
    return checked
  }

  async function start(place: GitPlace, args: readonly string[], options: GitOptions): Promise<GitProcess> {
    const safe = safeArguments(args)
    if (args[0] !== 'version') await checkVersion()
    const config = [...fixedConfig, ...(options.config ?? [])]
    if (safe.drivers) config.push(...disarmDrivers(await configNames(place, options)))
    return launch(place, safe.args, config, options)
  }

  function launch(
    place: GitPlace,
    args: readonly string[],
    config: readonly (readonly [string, string])[],
    options: GitOptions,
  ): GitProcess {
    const pinned: Record<string, string> =
      typeof place === 'string' ? {} : { GIT_DIR: place.gitDir, GIT_WORK_TREE: place.workTree }
    return startGit({
      args,
      cwd: typeof place === 'string' ? place : place.workTree,
      environment: gitEnvironment({
        searchPath,
        protocols: options.protocols ?? [],
        config,
        variables: { ...options.variables, ...pinned },
      }),
      input: options.input,
      signal: options.signal,
      timeoutMs: options.timeoutMs,
      exitCodes: options.exitCodes,
    })
  }

  /** Names only: the values of a stranger's configuration are of no interest. Outside a repository there are none. */
  async function configNames(place: GitPlace, options: GitOptions): Promise<string[]> {
    const { input: _input, exitCodes: _codes, ...rest } = options
    const args = ['config', '--list', '--name-only', '-z']
    const output = await collectOutput(launch(place, args, fixedConfig, rest), 16 * 1_048_576)
    return output.stdout.toString('utf8').split('\0')
  }

  const git: Git = {
    async run(place, args, options = {}) {
      return collectOutput(await start(place, args, { timeoutMs: 60_000, ...options }), options.maxBytes ?? 67_108_864)
    },
    async text(place, args, options) {
      const { stdout } = await git.run(place, args, options)
      return stdout.toString('utf8').replace(/\n$/, '')
    },
    async *stream(place, args, options = {}) {
      yield* (await start(place, args, { timeoutMs: 600_000, ...options })).output()
    },
    async *records(place, args, options = {}) {
      yield* splitRecords(git.stream(place, args, options), options.separator ?? '\0')
    },
    inspect: (path, options = {}) => inspectRepository(git, path, options),
    async version(options = {}) {
      const text = await git.text('/', ['version'], options)
      return /\d+(?:\.\d+)+/.exec(text)?.[0] ?? text
    },
  }
  return git
}
