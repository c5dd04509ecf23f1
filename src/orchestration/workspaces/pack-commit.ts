import type { Git } from '../../foundation/platform/git/index.ts'

const options = { timeoutMs: 600_000 }

/** Of some commits those that a repository has. */
export async function knownCommits(git: Git, repository: string, commits: readonly string[]): Promise<string[]> {
  if (commits.length === 0) return []
  const input = commits.map((commit) => `${commit}\n`).join('')
  const text = await git.text(repository, ['cat-file', '--batch-check=%(objectname) %(objecttype)'], { input })
  return text.split('\n').flatMap((line) => (line.endsWith(' commit') ? [line.slice(0, line.indexOf(' '))] : []))
}

/** A commit with its history as a git pack, without what follows from `have`. Git's own format for fetches. */
export async function* packCommit(
  git: Git,
  repository: string,
  commit: string,
  have: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const without = await knownCommits(git, repository, have)
  const input = [commit, ...without.map((each) => `^${each}`), ''].join('\n')
  const args = ['pack-objects', '--revs', '--stdout', '--thin', '--delta-base-offset', '--quiet']
  yield* git.stream(repository, args, { ...options, input, ...(signal === undefined ? {} : { signal }) })
}

/**
 * Takes a pack in and keeps a commit of it under `ref`. With `strict` every object is checked before any can be reached;
 * old histories may hold what git would refuse today. Errors: `git-failed` where the pack is damaged, holds what git
 * refuses, or lacks the commit.
 */
export async function unpackCommit(
  git: Git,
  repository: string,
  pack: {
    readonly commit: string
    readonly content: AsyncIterable<Uint8Array>
    readonly ref: string
    readonly strict: boolean
  },
  signal?: AbortSignal,
): Promise<void> {
  const given = { ...options, ...(signal === undefined ? {} : { signal }) }
  await git.run(repository, ['index-pack', '--stdin', '--fix-thin', ...(pack.strict ? ['--strict'] : [])], {
    ...given,
    input: pack.content,
  })
  // The ref is set only where all that the commit needs is there.
  await git.run(repository, ['rev-list', '--objects', '--quiet', pack.commit, '--not', '--all'], given)
  await git.run(repository, ['update-ref', pack.ref, `${pack.commit}^{commit}`], given)
}
