import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Clock, systemClock } from '../../foundation/kernel/clock.ts'
import { isAppError, messageOf } from '../../foundation/kernel/errors.ts'
import { failpoint } from '../../foundation/kernel/failpoints.ts'
import type { Git, RepositoryInfo } from '../../foundation/platform/git/index.ts'
import {
  aliveOf,
  type ProcessTable,
  processScope,
  systemProcessTable,
} from '../../foundation/platform/processes/index.ts'
import { commitWorktree } from './commit-worktree.ts'
import { diffCommit } from './diff-commit.ts'
import { KeyedQueue } from './keyed-queue.ts'
import { KnownRepositories } from './known-repositories.ts'
import { removeFolder } from './remove-folder.ts'
import type { Workspace, WorkspaceCommit, WorkspaceLeftover, WorkspaceRecord, WorkspaceTree } from './workspace.ts'
import { workspaceErrors } from './workspace-errors.ts'
import {
  readLeftRecords,
  readLostRegistrations,
  removeRegistration,
  workspaceAt,
  writeRecord,
} from './workspace-records.ts'

export interface WorkspacesOptions {
  /** Absolute; made when missing. Never inside what git of the user's repository looks at, unless that ignores it. */
  readonly folder: string
  readonly git: Git
  /** Where the repositories are noted in which worktrees were registered. Default: nowhere; leftovers in them are then not known. */
  readonly repositoriesFile?: string
  readonly clock?: Clock
  readonly processes?: ProcessTable
  /** No other process makes workspaces in this folder, so that leftovers without a record are known at once. Default false. */
  readonly alone?: boolean
}

export interface CreateWorkspace {
  /** Unique for ever: letters, digits, dots, dashes, underscores. */
  readonly id: string
  readonly kind: 'scratch' | 'worktree'
  readonly repo: { readonly path: string; readonly commit: string | null } | null
  /** The work is done in the repository itself, whatever its folder: it must be here. */
  readonly needsRepository?: boolean
  /** The commit or branch that a worktree starts from. Default: the commit of `repo`. */
  readonly base?: string
  /** A branch for the worktree, such as `leanvibe/<run>/<step>`. Default: none, HEAD is detached. */
  readonly branch?: string
  readonly signal?: AbortSignal
}

export interface CommitWorkspace {
  readonly message: string
  /** Keeps the commit reachable: a name under `refs/leanvibe/`. */
  readonly ref: string
  readonly author?: { readonly name: string; readonly email: string }
  readonly signal?: AbortSignal
}

/** A run names the repository by its path on the machine of a server; a runner that joined the database may have none there. */
function mustBeHere(path: string): void {
  if (existsSync(path)) return
  throw workspaceErrors['repository-elsewhere'](
    `the repository ${path} is not on ${hostname()}: a runner that joined by the address of a server gets repositories by itself, one that joined the database has them at the same paths`,
  )
}

const passing = /\.lock'?: File exists|cannot lock ref|failed to read worktrees\/|could not create directory of/i

/**
 * Makes and removes the folders in which attempts work. The user's working tree, index, HEAD and branches are never
 * touched. Safe for several processes at once.
 */
export class Workspaces {
  readonly #folder: string
  readonly #git: Git
  readonly #clock: Clock
  readonly #processes: ProcessTable
  readonly #alone: boolean
  readonly #owner: WorkspaceRecord['owner']
  readonly #known: KnownRepositories | null
  readonly #adding = new KeyedQueue()
  readonly #repositories = new Map<string, Promise<RepositoryInfo>>()

  constructor(options: WorkspacesOptions) {
    this.#folder = options.folder
    this.#git = options.git
    this.#clock = options.clock ?? systemClock
    this.#processes = options.processes ?? systemProcessTable()
    this.#alone = options.alone ?? false
    this.#known = options.repositoriesFile === undefined ? null : new KnownRepositories(options.repositoriesFile)
    const start = this.#processes.find(process.pid)?.start ?? ''
    this.#owner = { pid: process.pid, start, scope: processScope() }
  }

  /** @throws workspace-impossible, workspace-failed, repository-elsewhere, not-a-repository, git-missing */
  async create(request: CreateWorkspace): Promise<Workspace> {
    if (!/^[\w.-]{1,200}$/.test(request.id)) throw new Error(`${request.id} is not a name for a workspace`)
    const home = join(this.#folder, request.id)
    if (request.needsRepository === true && request.repo !== null) mustBeHere(request.repo.path)
    const repository = request.kind === 'worktree' ? await this.#repositoryOf(request) : null
    const base = repository === null ? null : await this.#baseOf(request, repository)
    const tree =
      repository === null || base === null
        ? null
        : { commonDir: repository.commonDir, gitDir: join(repository.commonDir, 'worktrees', request.id), base }
    const record: WorkspaceRecord = { ...workspaceAt(home, request.id, tree), owner: this.#owner }
    try {
      failpoint('workspace.create.before')
      if (tree !== null) await this.#known?.add(tree.commonDir)
      await mkdir(home, { recursive: true, mode: 0o700 })
      await writeRecord(home, record)
      await mkdir(record.outdir)
      await mkdir(record.tempdir)
      if (tree === null) await mkdir(record.path)
      else await this.#addWorktree(record, tree, request)
      failpoint('workspace.create.after')
      return record
    } catch (error) {
      await this.#discard(record)
      request.signal?.throwIfAborted()
      if (isAppError(error) && error.code !== 'git-failed') throw error
      throw workspaceErrors['workspace-failed'](`the workspace of ${request.id}: ${messageOf(error)}`, { cause: error })
    }
  }

  /** Commits what the task left and keeps the commit reachable. Null for a scratch folder. The task's processes must be dead. */
  async commit(workspace: Workspace, request: CommitWorkspace): Promise<WorkspaceCommit | null> {
    const { tree, path } = workspace
    if (tree === null) return null
    try {
      const result = await commitWorktree(this.#git, {
        path,
        tree,
        message: request.message,
        author: request.author ?? { name: 'LeanVibe', email: 'leanvibe@localhost' },
        at: this.#clock.now().toISOString(),
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      })
      if (result.changed) {
        const place = { gitDir: tree.gitDir, workTree: path }
        await this.#withLockRetry(() =>
          this.#git.run(place, ['update-ref', `refs/leanvibe/${request.ref}`, result.commit]),
        )
      }
      return result
    } catch (error) {
      request.signal?.throwIfAborted()
      throw workspaceErrors['workspace-failed'](`the changes in ${path} cannot be committed: ${messageOf(error)}`, {
        cause: error,
      })
    }
  }

  /** What a worktree's work changed between its start and `commit`, as a patch. Empty for a scratch folder. */
  async diff({ tree, path }: Workspace, commit: string): Promise<string> {
    return tree === null ? '' : diffCommit(this.#git, { path, tree, commit })
  }

  /**
   * Removes the folders and git's knowledge of them.
   * @param ended the processes of the attempt are proven dead; otherwise it is looked up
   * @throws workspace-busy when processes of the attempt are alive
   */
  async remove(workspace: Workspace, ended = false): Promise<void> {
    const processes = ended ? [] : this.#processesOf(workspace.id)
    if (processes.length > 0) {
      throw workspaceErrors['workspace-busy'](`${workspace.path} is used by the processes ${processes.join(', ')}`)
    }
    failpoint('workspace.remove.before')
    await this.#discard(workspace)
    failpoint('workspace.remove.after')
  }

  /** Workspaces whose maker is gone, and what git still knows of ones that no longer exist: in known repositories and these. */
  async findLeftovers(repositories: readonly string[] = []): Promise<WorkspaceLeftover[]> {
    const leftovers = await this.#leftovers(repositories)
    return leftovers.map(({ id, path, processes }) => ({ id, path, processes }))
  }

  /** Removes what `findLeftovers` finds. Resolves to what stayed, because its processes are not proven dead. */
  async cleanLeftovers(repositories: readonly string[] = []): Promise<WorkspaceLeftover[]> {
    const busy: WorkspaceLeftover[] = []
    for (const leftover of await this.#leftovers(repositories)) {
      if (leftover.processes.length > 0) busy.push(leftover)
      else await this.#discard(leftover.workspace)
    }
    return busy
  }

  async #leftovers(repositories: readonly string[]) {
    const records = await readLeftRecords(this.#folder, this.#processes, this.#alone)
    const known = new Set(records.map((record) => record.id))
    const commonDirs = new Set(await this.#known?.list())
    for (const repository of repositories) commonDirs.add((await this.#git.inspect(repository)).commonDir)
    for (const commonDir of commonDirs) {
      for (const record of await readLostRegistrations(commonDir, this.#folder)) {
        if (!known.has(record.id)) records.push(record)
      }
    }
    return records.map((workspace) => ({
      id: workspace.id,
      path: workspace.path,
      processes: this.#processesOf(workspace.id),
      workspace,
    }))
  }

  #processesOf(marker: string): number[] {
    return aliveOf({ marker, main: null }, this.#processes).map((entry) => entry.pid)
  }

  async #repositoryOf(request: CreateWorkspace): Promise<RepositoryInfo> {
    const { repo } = request
    if (repo === null) {
      throw workspaceErrors['workspace-impossible']('the step asks for a worktree, but the run has no repository')
    }
    // Where a repository is does not change while it is worked on; which commit its HEAD is does.
    const known = this.#repositories.get(repo.path)
    if (known !== undefined && repo.commit !== null) return known
    mustBeHere(repo.path)
    const asked = this.#git.inspect(repo.path)
    this.#repositories.set(repo.path, asked)
    asked.catch(() => this.#repositories.delete(repo.path))
    const found = await asked
    if (found.empty && repo.commit === null) {
      throw workspaceErrors['workspace-impossible'](`${repo.path} has no commit yet, so there is nothing to work on`)
    }
    return found
  }

  async #baseOf({ base, repo }: CreateWorkspace, repository: RepositoryInfo): Promise<string | null> {
    if (base === undefined) return repo?.commit ?? repository.head
    const args = ['rev-parse', '--verify', '--quiet', `${base}^{commit}`]
    const { exitCode, stdout } = await this.#git.run(repository.path, args, { exitCodes: [0, 1, 128] })
    if (exitCode === 0) return stdout.toString('utf8').trim()
    throw workspaceErrors['workspace-impossible'](`there is no commit ${JSON.stringify(base)} in ${repository.path}`)
  }

  /**
   * Two steps: which configuration holds, and with it which filters must be disarmed, depends on the git folder of the
   * worktree, which only exists after the first.
   */
  async #addWorktree(record: WorkspaceRecord, tree: WorkspaceTree, request: CreateWorkspace): Promise<void> {
    const options = { timeoutMs: 600_000, ...(request.signal === undefined ? {} : { signal: request.signal }) }
    const head = request.branch === undefined ? ['--detach'] : ['-B', request.branch]
    const args = ['worktree', 'add', '--no-checkout', ...head, record.path, tree.base]
    const add = async () => {
      await removeFolder(record.path)
      await removeRegistration(tree, record.path)
      return this.#git.run(tree.commonDir, args, options)
    }
    await this.#adding.run(tree.commonDir, () => this.#withLockRetry(add))
    const gitDir = await this.#git.text(record.path, ['rev-parse', '--absolute-git-dir'], options)
    if (gitDir !== tree.gitDir) throw new Error(`git keeps the worktree in ${gitDir}, not in ${tree.gitDir}`)
    const place = { gitDir, workTree: record.path }
    await this.#git.run(place, ['read-tree', '--reset', '-u', tree.base], options)
  }

  /** Another process may hold one of git's locks for a moment, or be half way through adding a worktree of its own. */
  async #withLockRetry<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work()
      } catch (error) {
        if (!isAppError(error, 'git-failed') || !passing.test(error.message) || attempt >= 8) throw error
        await sleep(10 * 2 ** attempt)
      }
    }
  }

  /** In this order, so that after a crash in between the record still leads to the rest. */
  async #discard(workspace: Workspace): Promise<void> {
    const home = join(this.#folder, workspace.id)
    await removeFolder(workspace.path)
    if (workspace.tree !== null) await removeRegistration(workspace.tree, workspace.path)
    await removeFolder(home)
  }
}
