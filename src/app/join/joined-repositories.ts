import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Git } from '../../foundation/platform/git/index.ts'
import type { Assignment } from '../../orchestration/runners/exchange-contract.ts'
import { KeyedQueue } from '../../orchestration/workspaces/keyed-queue.ts'
import { knownCommits, packCommit, unpackCommit } from '../../orchestration/workspaces/pack-commit.ts'
import type { RunnerServer } from './runner-server.ts'
import { sendFile } from './send-file.ts'

export interface JoinedRepositoriesOptions {
  readonly folder: string
  readonly git: Git
  readonly server: RunnerServer
  readonly runner: () => string
}

/** Most commits that are told as known, so that a fetch brings what is new. */
const mostKnown = 100

/**
 * Copies of the repositories that work elsewhere belongs to: bare, one each, which grow by what leases need. What attempts
 * leave is brought back to where the repository is.
 */
export class JoinedRepositories {
  readonly #options: JoinedRepositoriesOptions
  readonly #turns = new KeyedQueue()
  readonly #made = new Set<string>()

  constructor(options: JoinedRepositoriesOptions) {
    this.#options = options
  }

  /** Where the copy of a repository lies, whether it is there yet or not. */
  pathOf(tenant: string, path: string): string {
    const name = createHash('sha256').update(`${tenant}\0${path}`).digest('hex').slice(0, 32)
    return join(this.#options.folder, `${name}.git`)
  }

  /** Brings the commits that a lease begins with. `repo.path` is that of the copy. */
  async fetch(assignment: Assignment, signal: AbortSignal): Promise<void> {
    const { repo, fence } = assignment
    if (repo === null) return
    const base = baseOf(assignment)
    await this.#turns.run(repo.path, async () => {
      await this.#create(repo.path)
      for (const [commit, asked] of [
        [repo.commit, undefined],
        [base ?? null, base],
      ] as const) {
        if (commit !== null) await this.#bring(repo.path, commit, fence, asked, signal)
      }
    })
  }

  async #bring(
    path: string,
    commit: string,
    fence: number,
    base: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { git, server, runner } = this.#options
    const ref = `refs/fetched/${commit}`
    // Commits may lie here without all that they need, if a fetch broke off: the ref says that it did not.
    if ((await git.run(path, ['rev-parse', '--verify', '--quiet', ref], { exitCodes: [0, 1] })).exitCode === 0) return
    if (await this.#isOurs(path, commit)) return
    const list = [
      'for-each-ref',
      `--count=${mostKnown}`,
      '--sort=-committerdate',
      '--format=%(objectname)',
      'refs/fetched/',
    ]
    const have = (await git.text(path, list)).split('\n').filter((line) => line !== '')
    const wanted = { have, ...(base === undefined ? {} : { base }) }
    const content = await server.fetchRepository(runner(), fence, wanted, signal)
    await unpackCommit(git, path, { commit, content, ref, strict: false }, signal)
  }

  /** An attempt made it here, so that all it needs is here. */
  async #isOurs(path: string, commit: string): Promise<boolean> {
    const ask = ['for-each-ref', '--count=1', `--points-at=${commit}`, 'refs/leanvibe/']
    const { stdout } = await this.#options.git.run(path, ask, { exitCodes: [0, 128, 129] })
    return stdout.length > 0
  }

  /** Sends back the commit that an attempt left, if it left one, and all that the repository lacks. */
  async deliver(assignment: Assignment, signal: AbortSignal): Promise<void> {
    const { repo, runId, taskId, attempt, fence } = assignment
    if (repo === null) return
    const { git, server, runner } = this.#options
    const name = `refs/leanvibe/${runId}/${taskId}/${attempt}`
    const found = await git.run(repo.path, ['rev-parse', '--verify', '--quiet', name], { signal, exitCodes: [0, 1] })
    const commit = found.stdout.toString('utf8').trim()
    if (found.exitCode !== 0 || commit === '') return
    const there = [repo.commit, baseOf(assignment)].filter((each) => each != null)
    const known = await knownCommits(git, repo.path, there)
    const pack = packCommit(git, repo.path, commit, known, signal)
    const file = await sendFile(server, { runner: runner(), fence }, pack, signal)
    await server.deliverCommit(runner(), fence, { ...file, commit }, signal)
  }

  /** Making it a second time changes nothing. */
  async #create(path: string): Promise<void> {
    if (this.#made.has(path)) return
    await mkdir(path, { recursive: true })
    await this.#options.git.run(path, ['init', '--bare', '--quiet', path])
    this.#made.add(path)
  }
}

/** The commit of an earlier step that the work begins with. */
function baseOf({ spec }: Assignment): string | undefined {
  return 'base' in spec && typeof spec.base === 'string' ? spec.base : undefined
}
