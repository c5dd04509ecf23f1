import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createRepository, day, newYear } from '../repository.fixture.ts'
import { openRepository } from './open-repository.ts'
import { type Commit, type HistoryOptions, readHistory } from './read-history.ts'

async function history(path: string, options: HistoryOptions): Promise<Commit[]> {
  await using repository = await openRepository(path)
  const commits: Commit[] = []
  for await (const commit of readHistory(repository, options)) commits.push(commit)
  return commits
}

const odd = [
  '-rf',
  'new\nline',
  'tab\tname',
  'quo"te',
  '\x01start',
  '12\t3\tfake',
  ':100644 fake',
  `${'long/'.repeat(40)}end`,
]

describe('readHistory', () => {
  test('tells authors, times, subjects and changed lines', async () => {
    using repo = createRepository()
    repo.commit({ 'a.txt': '1\n2\n3\n' }, { daysAgo: 2, message: 'first: ünicode' })
    repo.commit(
      { 'a.txt': '1\n3\n4\n5\n', 'b.bin': Buffer.from([0, 1, 2]) },
      { author: 'Bob', daysAgo: 1, message: 'second' },
    )
    const commits = await history(repo.path, { detail: 'lines' })
    expect(commits.map(({ name, subject, at }) => [name, subject, at])).toEqual([
      ['Bob', 'second', newYear - day],
      ['Ann Author', 'first: ünicode', newYear - 2 * day],
    ])
    expect(commits[0]!.changes).toEqual([
      { path: 'a.txt', added: 2, deleted: 1 },
      { path: 'b.bin', added: null, deleted: null },
    ])
    expect(commits[1]!.changes).toEqual([{ path: 'a.txt', added: 3, deleted: 0 }])
  })

  test.each(['lines', 'raw'] as const)('keeps odd file names apart (%s)', async (detail) => {
    using repo = createRepository()
    repo.commit(Object.fromEntries(odd.map((name) => [name, 'x\n'])))
    repo.commit({ [odd[1]!]: 'y\n', 'then:this': '' })
    repo.commit({}, { message: 'empty' })
    const [empty, second, first] = await history(repo.path, { detail })
    expect(empty!.changes).toEqual([])
    expect(second!.changes.map((change) => change.path).sort()).toEqual(['new\nline', 'then:this'])
    expect(new Set(first!.changes.map((change) => change.path))).toEqual(new Set(odd))
  })

  test('keeps names that are no UTF-8', async () => {
    using repo = createRepository()
    const stream = Buffer.concat([
      Buffer.from(
        'commit refs/heads/main\ncommitter A <a@example.com> 1767225600 +0000\ndata 1\nx\nM 100644 inline caf',
      ),
      Buffer.from([0xe9, 0xff]),
      Buffer.from('\ndata 2\nx\n\n'),
    ])
    repo.git(['fast-import', '--quiet'], { input: stream })
    expect((await history(repo.path, { detail: 'lines' }))[0]!.changes).toEqual([
      { path: 'caf\xe9\xff', added: 1, deleted: 0 },
    ])
    expect((await history(repo.path, { detail: 'raw' }))[0]!.changes[0]).toMatchObject({
      path: 'caf\xe9\xff',
      status: 'A',
    })
  })

  test('uses the mailmap of the commit, also in a bare repository', async () => {
    using repo = createRepository()
    repo.commit({ 'a.txt': 'a\n' }, { author: 'Bobby' })
    repo.commit({ '.mailmap': 'Robert Real <robert@example.com> <bobby@example.com>\n' })
    repo.git(['clone', '-q', '--bare', '.', '../bare.git'])
    for (const path of [repo.path, join(repo.path, '../bare.git')]) {
      expect((await history(path, { detail: 'none' })).at(-1)).toMatchObject({
        name: 'Robert Real',
        email: 'robert@example.com',
      })
    }
  })

  test('falls back to names where contents are missing, and goes on', async () => {
    using repo = createRepository()
    for (const text of ['one', 'two', 'three', 'four']) repo.commit({ 'a.txt': `${text}\n` }, { message: text })
    const lost = repo.git(['rev-parse', 'HEAD~2:a.txt'])
    rmSync(join(repo.path, '.git/objects', lost.slice(0, 2), lost.slice(2)))
    const commits = await history(repo.path, { detail: 'lines' })
    expect(commits.map((commit) => [commit.subject, commit.changes[0]!.added])).toEqual([
      ['four', 1],
      ['three', null],
      ['two', null],
      ['one', 1],
    ])
  })

  test('leaves merges out and stops when told', async () => {
    using repo = createRepository()
    repo.commit({ 'a.txt': 'a\n' }, { message: 'base' })
    repo.git(['checkout', '-q', '-b', 'side'])
    repo.commit({ 'b.txt': 'b\n' }, { message: 'side' })
    repo.git(['checkout', '-q', 'main'])
    repo.commit({ 'c.txt': 'c\n' }, { message: 'main' })
    repo.git(['merge', '-q', '--no-ff', '-m', 'merge', 'side'])
    expect((await history(repo.path, { detail: 'raw' })).map((commit) => commit.subject).sort()).toEqual([
      'base',
      'main',
      'side',
    ])
    expect(await history(repo.path, { detail: 'raw', maxCommits: 2 })).toHaveLength(2)
    expect((await history(repo.path, { detail: 'raw', paths: ['b.txt'] })).map((commit) => commit.subject)).toEqual([
      'side',
    ])
  })
})
