import type { Git } from '../../foundation/platform/git/index.ts'
import { checkoutsOf, follow, refuseDirty } from './branch-checkout.ts'
import { mergeErrors } from './merge-errors.ts'

/** The branch that merges go into, with the working trees in which it is checked out. */
export class TargetBranch {
  readonly #git: Git
  readonly #commonDir: string
  readonly #name: string
  readonly #repository: string

  constructor(git: Git, place: { readonly commonDir: string; readonly name: string; readonly repository: string }) {
    this.#git = git
    this.#commonDir = place.commonDir
    this.#name = place.name
    this.#repository = place.repository
  }

  /** @throws merge-target-missing */
  async tip(): Promise<string> {
    const tip = await this.find(`refs/heads/${this.#name}`)
    if (tip !== null) return tip
    throw mergeErrors['merge-target-missing'](`there is no branch ${this.#name} in ${this.#repository}`)
  }

  /** @throws merge-target-missing */
  async commitOf(name: string): Promise<string> {
    const commit = await this.find(name)
    if (commit !== null) return commit
    throw mergeErrors['merge-target-missing'](`there is no commit ${name} in ${this.#repository}`)
  }

  async find(name: string): Promise<string | null> {
    const args = ['rev-parse', '--verify', '--quiet', `${name}^{commit}`]
    const { exitCode, stdout } = await this.#git.run(this.#commonDir, args, { exitCodes: [0, 1, 128] })
    return exitCode === 0 ? stdout.toString('utf8').trim() : null
  }

  async holds(commit: string, tip: string): Promise<boolean> {
    const args = ['merge-base', '--is-ancestor', commit, tip]
    return (await this.#git.run(this.#commonDir, args, { exitCodes: [0, 1, 128] })).exitCode === 0
  }

  /** @throws merge-target-dirty where a working tree could not follow from one commit to the other */
  async refuseDirty(from: string, to: string): Promise<void> {
    for (const path of await this.#checkouts()) await refuseDirty(this.#git, path, this.#name, from, to)
  }

  /** By compare-and-swap. False: somebody else moved it meanwhile. @throws merge-target-moving where it is locked */
  async move(from: string, to: string, why: string): Promise<boolean> {
    const args = ['update-ref', '-m', `leanvibe: ${why}`, `refs/heads/${this.#name}`, to, from]
    const { exitCode } = await this.#git.run(this.#commonDir, args, { exitCodes: [0, 1, 128] })
    if (exitCode === 0) return true
    if ((await this.tip()) !== from) return false
    throw mergeErrors['merge-target-moving'](`${this.#name} is locked by others`)
  }

  /** Lets its working trees follow; of those that cannot, what is to be done there later. */
  async follow(from: string, to: string): Promise<readonly string[]> {
    const left: string[] = []
    for (const path of await this.#checkouts()) {
      if (await follow(this.#git, path, from, to)) continue
      const hint = `git read-tree -m -u ${from} ${to}`
      left.push(`${path} was edited just now and does not follow ${this.#name}; there, later: ${hint}`)
    }
    return left
  }

  /** Keeps a commit that is on no branch. */
  async keep(name: string, commit: string): Promise<void> {
    await this.#git.run(this.#commonDir, ['update-ref', name, commit])
  }

  #checkouts(): Promise<readonly string[]> {
    return checkoutsOf(this.#git, this.#commonDir, this.#name)
  }
}
