import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeRepository, plantTraps, rawGit, type Traps, temporaryFolder, trappedFiles } from './git.fixture.ts'
import { createGit } from './git.ts'

const identity = {
  GIT_AUTHOR_NAME: 'Bot',
  GIT_AUTHOR_EMAIL: 'bot@example.test',
  GIT_COMMITTER_NAME: 'Bot',
  GIT_COMMITTER_EMAIL: 'bot@example.test',
}

describe('a repository that plants programs', () => {
  const git = createGit()
  let folder: ReturnType<typeof temporaryFolder>
  let repository: string
  let traps: Traps

  beforeEach(() => {
    folder = temporaryFolder('hostile')
    repository = join(folder.path, 'repository')
    makeRepository(repository, trappedFiles)
    rawGit(repository, 'commit', '--quiet', '--allow-empty', '--message=second')
    traps = plantTraps(repository, folder.path)
  })
  afterEach(() => folder.remove())

  it('springs its traps on plain git, so that the next test can fail', () => {
    // Filters that do not speak the process protocol would end git before the hooks are reached.
    for (const name of ['process', 'required']) rawGit(repository, 'config', '--unset', `filter.long.${name}`)
    rawGit(repository, 'worktree', 'add', '--detach', join(folder.path, 'plain'))
    const sprung = ['hook-post-checkout', 'hook-reference-transaction', 'filter-smudge', 'filter-odd-smudge']
    expect(traps.sprung()).toEqual(expect.arrayContaining([...sprung, 'included-smudge', 'conditional-smudge']))
    writeFileSync(join(repository, 'a.planted'), 'changed\n')
    rawGit(repository, 'diff')
    rawGit(repository, 'log', '--patch', '--ext-diff', '--all')
    expect(traps.sprung()).toEqual(expect.arrayContaining(['fsmonitor', 'filter-clean', 'diff-command']))
    expect(() => rawGit(repository, 'commit', '--all', '--message=third')).toThrow('gpg')
    expect(traps.sprung()).toEqual(expect.arrayContaining(['hook-pre-commit', 'gpg']))
  })

  const operations: readonly (readonly string[])[] = [
    ['rev-parse', 'HEAD'],
    ['status', '--porcelain=v2', '-z'],
    ['log', '--patch', '--all'],
    ['log', '--format=%H %G?', '--numstat'],
    ['show', 'HEAD:a.planted'],
    ['show', 'HEAD~1'],
    ['diff'],
    ['diff', 'HEAD~1'],
    ['diff-files', '--patch'],
    ['diff-index', '--patch', 'HEAD'],
    ['diff-tree', '--patch', '--root', 'HEAD~1'],
    ['blame', 'a.planted'],
    ['grep', 'one'],
    ['ls-files', '-z', '--modified', '--others'],
    ['ls-tree', '-r', '-z', 'HEAD'],
    ['for-each-ref'],
    ['shortlog', '--summary', 'HEAD'],
    ['rev-list', '--all', '--objects'],
    ['fsck'],
    ['branch', 'leanvibe/topic'],
    ['tag', 'v1'],
    ['update-ref', 'refs/leanvibe/x', 'HEAD'],
    ['write-tree'],
    ['read-tree', '--reset', '-u', 'HEAD'],
    ['checkout-index', '--all', '--force'],
    ['checkout', '--force', '--detach', 'HEAD~1'],
    ['reset', '--hard', 'HEAD'],
    ['add', '--all'],
    ['commit', '--all', '--message=third'],
    ['merge-tree', '--write-tree', 'HEAD', 'HEAD~1'],
    ['worktree', 'list', '--porcelain'],
    ['pack-refs', '--all'],
    ['hash-object', '-w', 'a.planted'],
  ]

  it.each(operations.map((args) => [args.join(' '), args] as const))('git %s runs none of them', async (_, args) => {
    writeFileSync(join(repository, 'a.planted'), 'changed\n')
    writeFileSync(join(repository, 'b.long'), 'changed\n')
    writeFileSync(join(repository, 'e.info'), 'changed\n')
    const { exitCode } = await git.run(repository, args, { variables: identity, exitCodes: [0, 1] })
    expect(exitCode).toBeLessThanOrEqual(args[0] === 'diff-index' || args[0] === 'grep' ? 1 : 0)
    expect(traps.sprung()).toEqual([])
  })

  it('is checked out into a worktree, by two steps, without running anything', async () => {
    const path = join(folder.path, 'tree')
    await git.run(repository, ['worktree', 'add', '--no-checkout', '--detach', path, 'HEAD'])
    await git.run(path, ['read-tree', '--reset', '-u', 'HEAD'])
    expect(readFileSync(join(path, 'f.conditional'), 'utf8')).toBe('six\n')
    await git.run(repository, ['worktree', 'remove', '--force', path])
    expect(traps.sprung()).toEqual([])
  })

  it('cannot make git call out', async () => {
    rawGit(repository, 'config', 'remote.evil.url', `ext::sh -c "echo ext >> '${join(folder.path, 'sprung')}'"`)
    for (const remote of ['origin', 'evil', 'ssh://example.test/x', 'git://example.test/x']) {
      await expect(git.run(repository, ['ls-remote', remote])).rejects.toMatchObject({ code: 'git-failed' })
      await expect(git.run(repository, ['fetch', remote])).rejects.toMatchObject({ code: 'git-failed' })
    }
    expect(traps.sprung()).toEqual([])
  })

  it('is refused when it names thousands of drivers', async () => {
    const lines = Array.from({ length: 3_000 }, (_, index) => `[filter "f${index}"]\n\tclean = cat\n`)
    writeFileSync(join(folder.path, 'included-config'), lines.join(''))
    await expect(git.run(repository, ['status'])).rejects.toMatchObject({ code: 'git-refused' })
    expect((await git.inspect(repository)).branch).toBe('main')
  })
})
