import { isAppError } from '../../foundation/kernel/errors.ts'
import type { Git } from '../../foundation/platform/git/index.ts'
import { remoteRunnerErrors } from './remote-runners-errors.ts'

/** How commits travel; the part `workspaces` provides it. */
export interface CommitTransport {
  pack(
    git: Git,
    repository: string,
    commit: string,
    have: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array>
  unpack(
    git: Git,
    repository: string,
    pack: { commit: string; content: AsyncIterable<Uint8Array>; ref: string; strict: boolean },
    signal: AbortSignal,
  ): Promise<void>
}

interface RepoLease {
  readonly repoPath: string | null
  readonly repoCommit: string | null
}

/** The repositories of runs on this machine, for runners on others. */
export class RunnerRepositories {
  readonly #git: Git
  readonly #transport: CommitTransport

  constructor(git: Git, transport: CommitTransport) {
    this.#git = git
    this.#transport = transport
  }

  /** Errors: `repository-not-here`, `repository-shallow`. */
  async read(lease: RepoLease, have: readonly string[], signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const path = await this.#locate(lease, signal)
    const { head, shallow } = await this.#git.inspect(path, { signal })
    if (shallow) throw remoteRunnerErrors['repository-shallow'](`${path} does not have its whole history`)
    const commit = lease.repoCommit ?? head
    if (commit === null) throw remoteRunnerErrors['repository-not-here'](`${path} has no commit yet`)
    return this.#transport.pack(this.#git, path, commit, have, signal)
  }

  /** Errors: `repository-not-here`, `commit-not-delivered`. */
  async keep(
    lease: RepoLease,
    pack: { readonly commit: string; readonly content: AsyncIterable<Uint8Array>; readonly ref: string },
    signal: AbortSignal,
  ): Promise<void> {
    const path = await this.#locate(lease, signal)
    const ask = ['rev-parse', '--verify', '--quiet', pack.ref]
    const { stdout } = await this.#git.run(path, ask, { signal, exitCodes: [0, 1] })
    // It came before, and the answer was lost.
    if (stdout.toString('utf8').trim() === pack.commit) return
    try {
      await this.#transport.unpack(this.#git, path, { ...pack, strict: true }, signal)
    } catch (cause) {
      if (!isAppError(cause, 'git-failed')) throw cause
      throw remoteRunnerErrors['commit-not-delivered'](`the commit ${pack.commit} is not in the pack`, { cause })
    }
  }

  async #locate({ repoPath }: RepoLease, signal: AbortSignal): Promise<string> {
    if (repoPath === null) throw remoteRunnerErrors['repository-not-here']('the run works on no repository')
    try {
      return (await this.#git.inspect(repoPath, { signal })).path
    } catch (cause) {
      if (!isAppError(cause, 'not-a-repository')) throw cause
      throw remoteRunnerErrors['repository-not-here']('the repository of the run is not on this machine', { cause })
    }
  }
}
