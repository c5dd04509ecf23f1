import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeRepository, rawGit, temporaryFolder } from './git.fixture.ts'
import { createGit } from './git.ts'

describe('git', () => {
  const git = createGit()
  const folder = temporaryFolder('git')
  const repository = join(folder.path, 'repository')
  let head: string

  beforeAll(() => {
    head = makeRepository(repository, { 'a b.txt': 'hello\n', 'odd\nname': 'x', 'sub/ünï': 'y' })
  })
  afterAll(() => folder.remove())

  it('answers with text, bytes and records', async () => {
    expect(await git.text(repository, ['rev-parse', 'HEAD'])).toBe(head)
    const { stdout } = await git.run(repository, ['cat-file', 'blob', 'HEAD:a b.txt'])
    expect(stdout).toEqual(Buffer.from('hello\n'))
    const names: string[] = []
    for await (const name of git.records(repository, ['ls-tree', '-r', '-z', '--name-only', 'HEAD'])) names.push(name)
    expect(names).toEqual(['a b.txt', 'odd\nname', 'sub/ünï'])
    expect(await git.version()).toMatch(/^\d+\.\d+/)
  })

  it('reads from the input it is given, also from a slow one', async () => {
    async function* input() {
      for (const name of ['HEAD:a b.txt', 'HEAD:sub/ünï']) yield `${name}\n`
    }
    const lines: string[] = []
    const args = ['cat-file', '--batch-check=%(objecttype) %(objectsize)']
    for await (const line of git.records(repository, args, { input: input(), separator: '\n' })) lines.push(line)
    expect(lines).toEqual(['blob 6', 'blob 1'])
  })

  it('ends git when the reader leaves, without an error', async () => {
    const endless = Array.from({ length: 200_000 }, () => 'HEAD\n').join('')
    for await (const line of git.records(repository, ['cat-file', '--batch'], { input: endless, separator: '\n' })) {
      expect(line).toMatch(/^[0-9a-f]{40} commit/)
      break
    }
  })

  it('stops at the limit of bytes, at the deadline and when told', async () => {
    await expect(git.run(repository, ['cat-file', 'blob', 'HEAD:a b.txt'], { maxBytes: 3 })).rejects.toMatchObject({
      code: 'git-output-too-large',
    })
    async function* never() {
      yield 'HEAD\n'
      await new Promise(() => {})
    }
    const waiting = ['cat-file', '--batch']
    await expect(git.run(repository, waiting, { input: never(), timeoutMs: 100 })).rejects.toMatchObject({
      code: 'git-timeout',
    })
    const controller = new AbortController()
    const running = git.run(repository, waiting, { input: never(), signal: controller.signal })
    controller.abort(new Error('not wanted any more'))
    await expect(running).rejects.toThrow('not wanted any more')
    await expect(git.run(repository, waiting, { signal: controller.signal })).rejects.toThrow('not wanted any more')
  })

  it('names what went wrong', async () => {
    const failures: [() => Promise<unknown>, string][] = [
      [() => git.run(repository, ['rev-parse', '--verify', 'nowhere']), 'git-failed'],
      [() => git.run(join(folder.path, 'missing'), ['rev-parse', 'HEAD']), 'not-a-repository'],
      [() => git.run(folder.path, ['rev-parse', 'HEAD']), 'not-a-repository'],
      [() => git.run(join(repository, 'a b.txt'), ['rev-parse', 'HEAD']), 'not-a-repository'],
      [() => createGit({ searchPath: folder.path }).run(repository, ['rev-parse', 'HEAD']), 'git-missing'],
      [() => createGit({ searchPath: '.:relative' }).run(repository, ['rev-parse', 'HEAD']), 'git-missing'],
      [() => git.run(repository, ['filter-branch']), 'git-refused'],
      [() => git.run(repository, ['constructor']), 'git-refused'],
      [() => git.run(repository, ['log', '--output=/tmp/x']), 'git-refused'],
      [() => git.run(repository, ['fetch', '--upload-pack=evil', 'x']), 'git-refused'],
    ]
    for (const [failure, code] of failures) await expect(failure()).rejects.toMatchObject({ code })
    await expect(git.run(repository, ['log'], { variables: { LD_PRELOAD: 'x' } })).rejects.toThrow('LD_PRELOAD')
    expect((await git.run(repository, ['rev-parse', '--verify', '-q', 'nowhere'], { exitCodes: [1] })).exitCode).toBe(1)
  })

  it('refuses a git that does not know how to override the settings of a repository', async () => {
    const path = join(folder.path, 'old')
    mkdirSync(path)
    writeFileSync(join(path, 'git'), '#!/bin/sh\necho git version 2.31.9\n', { mode: 0o755 })
    const old = createGit({ searchPath: `${path}:/usr/bin:/bin` })
    await expect(old.run(repository, ['rev-parse', 'HEAD'])).rejects.toMatchObject({
      code: 'git-missing',
      message: expect.stringContaining('2.31.9 is too old'),
    })
  })

  it('never writes to the index of the user, though files were touched', async () => {
    const index = join(repository, '.git', 'index')
    writeFileSync(join(repository, 'a b.txt'), 'hello\n')
    const before = { bytes: readFileSync(index), mtime: statSync(index).mtimeMs }
    await git.run(repository, ['status'])
    expect({ bytes: readFileSync(index), mtime: statSync(index).mtimeMs }).toEqual(before)
  })

  it('stays with the named repository though a planted .git leads elsewhere', async () => {
    const other = join(folder.path, 'other')
    makeRepository(other, { b: '1' })
    const tree = join(folder.path, 'tree')
    await git.run(repository, ['worktree', 'add', '--detach', tree, 'HEAD'])
    const gitDir = join(repository, '.git', 'worktrees', 'tree')
    writeFileSync(join(tree, '.git'), `gitdir: ${join(other, '.git')}\n`)
    expect(await git.text({ gitDir, workTree: tree }, ['rev-parse', 'HEAD'])).toBe(head)
  })
})

describe('inspect', () => {
  const git = createGit()
  const folder = temporaryFolder('inspect')
  afterAll(() => folder.remove())

  it('tells an ordinary repository, also from a folder inside or through a link', async () => {
    const path = join(folder.path, 'plain')
    const head = makeRepository(path, { 'src/a': '1' })
    const expected = {
      path,
      topLevel: path,
      gitDir: join(path, '.git'),
      commonDir: join(path, '.git'),
      head,
      branch: 'main',
      bare: false,
      shallow: false,
      empty: false,
      linked: false,
    }
    expect(await git.inspect(path)).toEqual(expected)
    expect(await git.inspect(join(path, 'src'))).toEqual(expected)
    symlinkSync(path, join(folder.path, 'link'))
    expect(await git.inspect(join(folder.path, 'link'))).toEqual(expected)
    rawGit(path, 'checkout', '--quiet', '--detach')
    expect(await git.inspect(path)).toEqual({ ...expected, branch: null })
    rawGit(path, 'worktree', 'add', '--quiet', join(folder.path, 'linked'))
    expect(await git.inspect(join(folder.path, 'linked'))).toMatchObject({
      linked: true,
      commonDir: join(path, '.git'),
    })
    await expect(git.inspect(join(path, '.git'))).rejects.toMatchObject({ code: 'not-a-repository' })
  })

  it('tells empty, bare and shallow ones, and odd paths', async () => {
    const empty = join(folder.path, 'empty\nrepository')
    mkdirSync(empty)
    rawGit(empty, 'init', '--quiet', '--initial-branch=trunk')
    expect(await git.inspect(empty)).toMatchObject({ path: empty, head: null, branch: 'trunk', empty: true })
    const source = join(folder.path, 'source')
    makeRepository(source, { a: '1' })
    rawGit(source, 'commit', '--quiet', '--allow-empty', '--message=second')
    rawGit(folder.path, 'clone', '--quiet', '--bare', source, 'bare.git')
    expect(await git.inspect(join(folder.path, 'bare.git'))).toMatchObject({
      path: join(folder.path, 'bare.git'),
      topLevel: null,
      bare: true,
    })
    rawGit(folder.path, 'clone', '--quiet', '--depth=1', `file://${source}`, 'shallow')
    expect(await git.inspect(join(folder.path, 'shallow'))).toMatchObject({ shallow: true, empty: false })
  })

  it('refuses what is no repository', async () => {
    expect(existsSync(join(folder.path, '.git'))).toBe(false)
    expect(readdirSync(folder.path)).not.toContain('nowhere')
    for (const path of [folder.path, join(folder.path, 'nowhere')]) {
      await expect(git.inspect(path)).rejects.toMatchObject({ code: 'not-a-repository' })
    }
  })
})
