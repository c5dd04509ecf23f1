import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Git, GitOptions } from '../../foundation/platform/git/index.ts'
import type { MergeMethod } from '../workflows/workflow-contract.ts'
import type { Placement } from './merges-contract.ts'

export interface MergeTree {
  readonly gitDir: string
  readonly workTree: string
}

export interface CandidateRequest {
  readonly place: MergeTree
  /** The worktree was just made at `target`, and nothing was done in it. */
  readonly fresh: boolean
  /** Where the branch is. */
  readonly target: string
  readonly commit: string
  readonly into: string
  readonly method: MergeMethod
  readonly message: string | null
  /** ISO 8601. */
  readonly at: string
  readonly signal: AbortSignal
}

export type Candidate =
  | { readonly kind: 'already' }
  | { readonly kind: 'built'; readonly commit: string; readonly placed: Placement }
  | { readonly kind: 'conflict'; readonly files: readonly string[]; readonly text: string }

const committer = { GIT_COMMITTER_NAME: 'LeanVibe', GIT_COMMITTER_EMAIL: 'leanvibe@localhost' }
/** Marks that also show what both sides started from. */
const marks = [['merge.conflictStyle', 'diff3'] as const]

/** A worktree as if nothing had been done in it; what is ignored, such as installed dependencies, stays. */
export async function settleAt(git: Git, place: MergeTree, commit: string, options: GitOptions): Promise<void> {
  await git.run(place, ['reset', '--quiet', '--hard', commit], options)
  await git.run(place, ['clean', '-ffdq'], options)
}

/**
 * What the branch would become: the commit on top of it, by replaying each commit, by a merge commit, or as one. Only the
 * worktree of the merge is touched; it is left at the result, with HEAD there.
 */
export async function buildCandidate(git: Git, request: CandidateRequest): Promise<Candidate> {
  const build = new CandidateBuild(git, request)
  return build.run()
}

class CandidateBuild {
  readonly #git: Git
  readonly #request: CandidateRequest
  readonly #options: GitOptions

  constructor(git: Git, request: CandidateRequest) {
    this.#git = git
    this.#request = request
    this.#options = { signal: request.signal, timeoutMs: 600_000 }
  }

  async run(): Promise<Candidate> {
    const { target, commit, method, fresh } = this.#request
    if (!fresh) await this.#settle(target)
    const commits = await this.#commitsSince(target)
    if (commits.length === 0) return { kind: 'already' }
    if (method === 'rebase') {
      const linear = commits.every(({ parents }) => parents.length < 2)
      // The branch has not moved since the work began: the commit itself is the result.
      const base = linear ? commits[0]!.parents[0] : await this.#mergeBase(target, commit)
      if (base === target) return this.#built(commit, { how: 'fast-forward', commits: commits.length, leftOut: 0 })
      if (linear) return this.#replay(commits.map(({ id }) => id))
    }
    return method === 'merge' ? this.#merge() : this.#squash()
  }

  #settle(commit: string): Promise<void> {
    return settleAt(this.#git, this.#request.place, commit, this.#options)
  }

  /** What the commit brings, the oldest first. */
  async #commitsSince(
    target: string,
  ): Promise<readonly { readonly id: string; readonly parents: readonly string[] }[]> {
    const range = `${target}..${this.#request.commit}`
    const list = await this.#text(['rev-list', '--reverse', '--topo-order', '--parents', range])
    const lines = list === '' ? [] : list.split('\n')
    return lines.map((line) => {
      const [id = '', ...parents] = line.split(' ')
      return { id, parents }
    })
  }

  async #replay(all: readonly string[]): Promise<Candidate> {
    const { target } = this.#request
    let tip = target
    let commits = 0
    for (const one of all) {
      const conflict = await this.#apply(['cherry-pick', '--no-commit', one], one)
      if (conflict !== null) return conflict
      const tree = await this.#text(['write-tree'])
      // What the branch has already is not committed again.
      if (tree === (await this.#text(['rev-parse', `${tip}^{tree}`]))) continue
      tip = await this.#commitAs(one, tree, tip)
      await this.#run(['update-ref', '--no-deref', 'HEAD', tip])
      commits += 1
    }
    if (tip === target) return { kind: 'already' }
    // Nothing but these commits was applied: the worktree is at the result already.
    return { kind: 'built', commit: tip, placed: { how: 'rebase', commits, leftOut: all.length - commits } }
  }

  async #merge(): Promise<Candidate> {
    const { target, commit, into, message } = this.#request
    const conflict = await this.#apply(['merge', '--quiet', '--no-ff', '--no-commit', commit], commit)
    if (conflict !== null) return conflict
    const tree = await this.#text(['write-tree'])
    const title = message ?? `Merge ${await this.#titleOf(commit)} into ${into}`
    const made = await this.#commit(tree, [target, commit], title, (await this.#wordsOf(commit)).author)
    return this.#built(made, { how: 'merge', commits: await this.#count(target, commit), leftOut: 0 })
  }

  async #squash(): Promise<Candidate> {
    const { target, commit, message } = this.#request
    const conflict = await this.#apply(['merge', '--quiet', '--squash', commit], commit)
    if (conflict !== null) return conflict
    const tree = await this.#text(['write-tree'])
    if (tree === (await this.#text(['rev-parse', `${target}^{tree}`]))) return { kind: 'already' }
    const words = await this.#wordsOf(commit)
    const made = await this.#commit(tree, [target], message ?? words.message, words.author)
    return this.#built(made, { how: 'squash', commits: await this.#count(target, commit), leftOut: 0 })
  }

  async #built(commit: string, placed: Placement): Promise<Candidate> {
    await this.#settle(commit)
    return { kind: 'built', commit, placed }
  }

  async #count(from: string, to: string): Promise<number> {
    return Number(await this.#text(['rev-list', '--count', `${from}..${to}`]))
  }

  /** Null where it went well. */
  async #apply(args: readonly string[], commit: string): Promise<Candidate | null> {
    const { exitCode, stderr } = await this.#git.run(this.#request.place, args, {
      ...this.#options,
      config: marks,
      variables: { ...committer, GIT_AUTHOR_NAME: 'LeanVibe', GIT_AUTHOR_EMAIL: 'leanvibe@localhost' },
      exitCodes: [0, 1],
    })
    if (exitCode === 0) return null
    const files = await this.#records(['diff', '--name-only', '--diff-filter=U', '-z'])
    const text = await describeConflict({
      workTree: this.#request.place.workTree,
      title: await this.#titleOf(commit),
      into: this.#request.into,
      files,
      said: stderr,
    })
    return { kind: 'conflict', files, text }
  }

  async #commitAs(commit: string, tree: string, parent: string): Promise<string> {
    const { author, message } = await this.#wordsOf(commit)
    return this.#commit(tree, [parent], message, author)
  }

  #commit(
    tree: string,
    parents: readonly string[],
    message: string,
    author: Readonly<Record<string, string>>,
  ): Promise<string> {
    const args = ['commit-tree', tree, ...parents.flatMap((parent) => ['-p', parent])]
    const variables = { ...author, ...committer, GIT_COMMITTER_DATE: this.#request.at }
    return this.#git.text(this.#request.place, args, { ...this.#options, variables, input: `${message.trimEnd()}\n` })
  }

  /** Who wrote it, and what its message is. */
  async #wordsOf(commit: string): Promise<{ readonly author: Record<string, string>; readonly message: string }> {
    const text = await this.#text(['log', '-1', '--format=%an%n%ae%n%aI%n%B', commit])
    const [name = '', email = '', date = '', ...message] = text.split('\n')
    const author = {
      GIT_AUTHOR_NAME: name.trim() === '' ? 'LeanVibe' : name,
      GIT_AUTHOR_EMAIL: email.trim() === '' ? 'leanvibe@localhost' : email,
      GIT_AUTHOR_DATE: date,
    }
    return { author, message: message.join('\n') }
  }

  #titleOf(commit: string): Promise<string> {
    return this.#text(['log', '-1', '--format=%h %s', commit])
  }

  async #mergeBase(one: string, other: string): Promise<string | null> {
    const { exitCode, stdout } = await this.#git.run(this.#request.place, ['merge-base', one, other], {
      ...this.#options,
      exitCodes: [0, 1],
    })
    return exitCode === 0 ? stdout.toString('utf8').trim() : null
  }

  async #records(args: readonly string[]): Promise<readonly string[]> {
    return (await this.#text(args)).split('\0').filter((name) => name !== '')
  }

  #text(args: readonly string[]): Promise<string> {
    return this.#git.text(this.#request.place, args, this.#options)
  }

  async #run(args: readonly string[]): Promise<void> {
    await this.#git.run(this.#request.place, args, this.#options)
  }
}

/** So that it travels as a value, and fits into a prompt. */
const mostText = 40_000

/** The conflict in words and marks, as whoever solves it needs it. */
async function describeConflict(conflict: {
  readonly workTree: string
  readonly title: string
  readonly into: string
  readonly files: readonly string[]
  readonly said: string
}): Promise<string> {
  const { files, into, title, said, workTree } = conflict
  const parts = [
    `The commit "${title}" does not fit onto ${into}: both change the same lines of ${files.length} files.`,
  ]
  if (files.length === 0) parts.push(said.trim())
  let left = mostText
  for (const file of files) {
    const path = join(workTree, file)
    const found = await stat(path).catch(() => null)
    const size = found?.isFile() ? found.size : 0
    const content = size > 0 && size <= left ? await readFile(path, 'utf8') : ''
    const shown = size === 0 ? '(it was removed on one side)' : content === '' ? `(${size} bytes)` : content
    left -= content.length
    parts.push(`--- ${file}\n${shown.replace(/\n$/, '')}`)
  }
  return parts.join('\n\n')
}
