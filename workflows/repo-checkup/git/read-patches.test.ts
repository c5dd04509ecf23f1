import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createRepository } from '../repository.fixture.ts'
import { openRepository } from './open-repository.ts'
import { readPatches } from './read-patches.ts'

async function added(path: string, stopAfter = Number.POSITIVE_INFINITY) {
  await using repository = await openRepository(path)
  const lines: string[] = []
  let commits = 0
  const end = await readPatches(repository, {
    onCommit: () => {
      commits += 1
      return commits <= stopAfter
    },
    wants: (file) => file !== 'ignored.txt',
    visit: (hunk) => lines.push(...hunk.lines.map((line, at) => `${hunk.path}:${hunk.start + at}:${line}`)),
  })
  return { lines, ...end }
}

test('tells every added line with its place, newest commit first', async () => {
  using repo = createRepository()
  repo.commit({ 'a.txt': 'one\ntwo\nthree\n', 'ignored.txt': 'no\n' })
  repo.commit({ 'a.txt': 'zero\none\nthree\nfour' })
  expect(await added(repo.path)).toEqual({
    lines: ['a.txt:1:zero', 'a.txt:4:four', 'a.txt:1:one', 'a.txt:2:two', 'a.txt:3:three'],
    gaps: 0,
    gaveUp: false,
  })
  expect((await added(repo.path, 1)).lines).toEqual(['a.txt:1:zero', 'a.txt:4:four'])
})

test('is not misled by content that looks like a patch', async () => {
  using repo = createRepository()
  const tricky = ['++ b/other.txt', '-- a/x', '@@ -1 +1,9 @@', '\x01abc', 'diff --git a/x b/x', '+plus', ' space']
  repo.commit({ 'a.txt': 'old\n++ gone\n', 'od"d\nname': 'x\n' })
  repo.commit({ 'a.txt': `${tricky.join('\n')}\n` })
  const { lines } = await added(repo.path)
  expect(lines.slice(0, tricky.length)).toEqual(tricky.map((line, at) => `a.txt:${at + 1}:${line}`))
  expect(lines).toContain('od"d\nname:1:x')
})

test('passes over commits whose contents are missing', async () => {
  using repo = createRepository()
  for (const text of ['one', 'two', 'three', 'four']) repo.commit({ 'a.txt': `${text}\n`, 'b.txt': `${text}\n` })
  const lost = repo.git(['rev-parse', 'HEAD~2:a.txt'])
  rmSync(join(repo.path, '.git/objects', lost.slice(0, 2), lost.slice(2)))
  const { lines, gaps, gaveUp } = await added(repo.path)
  expect(lines).toEqual(expect.arrayContaining(['a.txt:1:four', 'a.txt:1:one']))
  expect(lines).not.toContain('a.txt:1:two')
  expect(gaps).toBeGreaterThan(0)
  expect(gaveUp).toBe(false)
})
