import { isAppError } from '../../foundation/kernel/errors.ts'
import type { RunId, TenantId } from '../../foundation/kernel/ids.ts'
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
  readonly tenant: TenantId
  readonly runId: RunId
  readonly repoPath: string | null
  readonly repoCommit: string | null
}

/** The runs that hand commits to each other: those that called this one, and what they called. The part `runs` provides it. */
export type FamilyOf = (tenant: TenantId, run: RunId) => Promise<readonly RunId[]>

/** The repositories of runs on this machine, for runners on others. */
export class RunnerRepositories {
  readonly #git: Git
  readonly #transport: CommitTransport
  readonly #familyOf: FamilyOf

  constructor(git: Git, transport: CommitTransport, familyOf: FamilyOf) {
    this.#git = git
    this.#transport = transport
    this.#familyOf = familyOf
  }

  /** The commit of the run, or `base`, one that a step of it or of its family left. Errors: `repository-not-here`, `repository-shallow`. */
  async read(
    lease: RepoLease,
    have: readonly string[],
    signal: AbortSignal,
    base?: string,
  ): Promise<AsyncIterable<Uint8Array>> {
    const path = await this.#locate(lease, signal)
    const { head, shallow } = await this.#git.inspect(path, { signal })
    if (shallow) throw remoteRunnerErrors['repository-shallow'](`${path} does not have its whole history`)
    const commit = base === undefined ? (lease.repoCommit ?? head) : await this.#leftByFamily(path, lease, base, signal)
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

  /** A lease opens the history of its run and of those it works with, and no other branch of the repository. */
  async #leftByFamily(path: string, lease: RepoLease, base: string, signal: AbortSignal): Promise<string> {
    if (base === lease.repoCommit) return base
    const leftBy = async (runs: readonly string[]) => {
      const ask = ['for-each-ref', '--count=1', `--points-at=${base}`, ...runs.map((run) => `refs/leanvibe/${run}/`)]
      const { stdout } = await this.#git.run(path, ask, { signal, exitCodes: [0, 128, 129] })
      return stdout.length > 0
    }
    if (await leftBy([lease.runId])) return base
    const family = await this.#familyOf(lease.tenant, lease.runId)
    if (family.length > 0 && (await leftBy(family))) return base
    throw remoteRunnerErrors['repository-not-here'](
      `no step of the run, or of those it works with, has left the commit ${base}`,
    )
  }

  async #locate({ repoPath }: Pick<RepoLease, 'repoPath'>, signal: AbortSignal): Promise<string> {
    if (repoPath === null) throw remoteRunnerErrors['repository-not-here']('the run works on no repository')
    try {
      return (await this.#git.inspect(repoPath, { signal })).path
    } catch (cause) {
      if (!isAppError(cause, 'not-a-repository')) throw cause
      throw remoteRunnerErrors['repository-not-here']('the repository of the run is not on this machine', { cause })
    }
  }
}
