import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * The git folders of the repositories in which worktrees were ever registered, one a line. They outlive the workspaces,
 * so that what git still knows of a lost one can be found without asking any database.
 */
export class KnownRepositories {
  readonly #file: string
  #known: Promise<Set<string>> | null = null

  constructor(file: string) {
    this.#file = file
  }

  async list(): Promise<readonly string[]> {
    return [...(await this.#read())]
  }

  /** Notes a repository, before a worktree is registered in it. */
  async add(commonDir: string): Promise<void> {
    this.#known ??= this.#read()
    const known = await this.#known
    if (known.has(commonDir) || commonDir.includes('\n')) return
    await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 })
    await appendFile(this.#file, `${commonDir}\n`, { mode: 0o600 })
    known.add(commonDir)
  }

  async #read(): Promise<Set<string>> {
    try {
      // A line that a crash has cut short names no git folder, and does no harm.
      return new Set((await readFile(this.#file, 'utf8')).split('\n').filter((line) => line !== ''))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Set()
      throw error
    }
  }
}
