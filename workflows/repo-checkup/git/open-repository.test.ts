import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { createRepository } from '../repository.fixture.ts'
import { openRepository, quoteGitPath } from './open-repository.ts'
import { readHistory } from './read-history.ts'

async function open(path: string, revision?: string) {
  await using repository = await openRepository(path, revision)
  const { name, commit, branch, bare, shallow, partial, subfolder } = repository
  const commits = []
  for await (const { subject } of readHistory(repository, { detail: 'lines' })) commits.push(subject)
  return { name, commit, branch, bare, shallow, partial, subfolder, commits }
}

describe('openRepository', () => {
  test('an ordinary working tree', async () => {
    using repo = createRepository('my-project')
    const first = repo.commit({ 'a.txt': 'a\n' }, { message: 'one' })
    const second = repo.commit({ 'a.txt': 'b\n' }, { message: 'two' })
    expect(await open(repo.path)).toEqual({
      name: 'my-project',
      commit: second,
      branch: 'main',
      bare: false,
      shallow: false,
      partial: false,
      subfolder: false,
      commits: ['two', 'one'],
    })
    expect(await open(repo.path, first)).toMatchObject({ commit: first, commits: ['one'] })
  })

  test('no commits, a subfolder, a detached HEAD, a worktree', async () => {
    using repo = createRepository()
    expect(await open(repo.path)).toMatchObject({ commit: null, branch: 'main', commits: [] })
    const first = repo.commit({ 'deep/er/a.txt': 'a\n' })
    const second = repo.commit({ 'deep/er/a.txt': 'b\n' })
    expect(await open(join(repo.path, 'deep/er'))).toMatchObject({ name: 'subject', commit: second, subfolder: true })
    repo.git(['worktree', 'add', '-q', '--detach', '../tree', first])
    expect(await open(join(repo.path, '../tree'))).toMatchObject({
      name: 'tree',
      commit: first,
      branch: null,
      bare: false,
    })
    repo.git(['checkout', '-q', '--detach', first])
    expect(await open(repo.path)).toMatchObject({ commit: first, branch: null })
  })

  test('a bare, a shallow and a partial clone, and one with SHA-256', async () => {
    using repo = createRepository()
    repo.commit({ 'a.txt': 'one\n' }, { message: 'one' })
    repo.commit({ 'a.txt': 'two\n' }, { message: 'two' })
    repo.git(['config', 'uploadpack.allowFilter', 'true'])
    const source = `file://${repo.path}`
    repo.git(['clone', '-q', '--bare', source, '../bare.git'])
    expect(await open(join(repo.path, '../bare.git'))).toMatchObject({
      name: 'bare',
      bare: true,
      branch: 'main',
      commits: ['two', 'one'],
    })
    repo.git(['clone', '-q', '--depth', '1', source, '../shallow'])
    expect(await open(join(repo.path, '../shallow'))).toMatchObject({ shallow: true, commits: ['two'] })
    repo.git(['clone', '-q', '--filter=blob:none', source, '../partial'])
    // The old content is not there and must not be fetched; the commits are told all the same.
    expect(await open(join(repo.path, '../partial'))).toMatchObject({ partial: true, commits: ['two', 'one'] })

    using modern = createRepository('modern', ['--object-format=sha256'])
    const commit = modern.commit({ 'a.txt': 'a\n' })
    expect(commit).toHaveLength(64)
    expect(await open(modern.path)).toMatchObject({ commit, commits: ['a change'] })
  })

  test('what cannot be opened is refused with the reason', async () => {
    const plain = mkdtempSync(join(tmpdir(), 'checkup-plain-'))
    try {
      await expect(open(plain)).rejects.toMatchObject({ code: 'not-a-repository' })
      await expect(open(join(plain, 'absent'))).rejects.toMatchObject({ code: 'not-a-repository' })
      writeFileSync(join(plain, 'file'), '')
      await expect(open(join(plain, 'file'))).rejects.toMatchObject({ code: 'not-a-repository' })
    } finally {
      rmSync(plain, { recursive: true })
    }
    using repo = createRepository()
    repo.commit({ 'a.txt': 'a\n' })
    for (const revision of ['nowhere', '--all', '-1', 'HEAD:a.txt', 'f'.repeat(40)]) {
      await expect(open(repo.path, revision)).rejects.toMatchObject({ code: 'checkup-no-such-commit' })
    }
  })

  test('nothing that the repository configures is run', async () => {
    using repo = createRepository()
    repo.commit({ 'a.txt': 'a\n', '.gitattributes': '*.txt diff=evil filter=evil\n' })
    repo.commit({ 'a.txt': 'b\n' })
    const trap = join(repo.path, '../trap.sh')
    const mark = join(repo.path, '../sprung')
    writeFileSync(trap, `#!/bin/sh\necho sprung >> '${mark}'\n`)
    chmodSync(trap, 0o755)
    for (const key of [
      'core.fsmonitor',
      'diff.evil.textconv',
      'diff.evil.command',
      'diff.external',
      'filter.evil.smudge',
      'core.pager',
      'core.sshCommand',
    ]) {
      repo.git(['config', key, trap])
    }
    mkdirSync(join(repo.path, '.git/hooks'), { recursive: true })
    for (const hook of ['post-checkout', 'post-index-change', 'reference-transaction']) {
      writeFileSync(join(repo.path, '.git/hooks', hook), `#!/bin/sh\necho sprung >> '${mark}'\n`, { mode: 0o755 })
    }
    repo.git(['log', '-p', '-1', '--ext-diff'])
    expect(readdirSync(join(repo.path, '..'))).toContain('sprung') // the trap works
    rmSync(mark)
    expect(await open(repo.path)).toMatchObject({ commits: ['a change', 'a change'] })
    expect(readdirSync(join(repo.path, '..'))).not.toContain('sprung')
  })

  test('leaves nothing behind, also when it fails', async () => {
    using repo = createRepository()
    repo.commit({ 'a.txt': 'a\n' })
    const folder = mkdtempSync(join(tmpdir(), 'checkup-tmp-'))
    vi.stubEnv('TMPDIR', folder)
    try {
      await using repository = await openRepository(repo.path)
      expect(readdirSync(folder)).toHaveLength(1)
      await repository[Symbol.asyncDispose]()
      expect(readdirSync(folder)).toEqual([])
      await expect(openRepository(repo.path, 'nowhere')).rejects.toThrow()
      expect(readdirSync(folder)).toEqual([])
    } finally {
      vi.unstubAllEnvs()
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('a repository below an odd path', async () => {
    using repo = createRepository('od"d\nna\\me\t#1')
    repo.commit({ 'a.txt': 'a\n' })
    expect(await open(repo.path)).toMatchObject({ commits: ['a change'] })
    expect(quoteGitPath('/plain/path')).toBe('/plain/path')
    expect(quoteGitPath('/a\n"b')).toBe('"/a\\012\\"b"')
  })
})
