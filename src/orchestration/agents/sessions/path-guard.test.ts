import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../../foundation/platform/git/git.fixture.ts'
import { createPathGuard, type PathGuard } from './path-guard.ts'

describe('the guard of a worktree', () => {
  const folder = temporaryFolder('guard')
  const top = join(folder.path, 'tree')
  let guard: PathGuard

  beforeAll(async () => {
    mkdirSync(join(top, 'src'), { recursive: true })
    mkdirSync(join(top, '.git'))
    mkdirSync(join(folder.path, 'treehouse'))
    writeFileSync(join(folder.path, 'secret'), 'of the host')
    writeFileSync(join(top, 'src', 'a.ts'), 'a')
    symlinkSync(folder.path, join(top, 'out'))
    symlinkSync('../secret', join(top, 'link'))
    symlinkSync('src/a.ts', join(top, 'alias'))
    symlinkSync('/nowhere/at/all', join(top, 'dangling'))
    symlinkSync('loop', join(top, 'loop'))
    guard = await createPathGuard(top)
  })
  afterAll(() => folder.remove())

  it.each(['src/a.ts', './src/../src/a.ts', 'alias', 'new/deep/file.txt', '.gitignore', ''])(
    'lets %j pass',
    async (path) => {
      expect(await guard.inside(path)).toMatch(new RegExp(`^${top}(/|$)`))
      expect(await guard.inside(join(top, path))).toBe(await guard.inside(path))
    },
  )

  it.each([
    ...[
      '../secret',
      'src/../../secret',
      'out/secret',
      'out/new',
      'link',
      'dangling',
      'dangling/x',
      'loop',
      '/etc/passwd',
    ],
    ...['../treehouse/x', '.git', '.git/config', 'src/.git/hooks/x', 'a\0b', '../tree/../secret'],
  ])('refuses %j', async (path) => {
    for (const look of [() => guard.inside(path), () => guard.openToRead(path), () => guard.openToWrite(path)]) {
      await expect(look()).rejects.toMatchObject({ code: 'path-outside' })
    }
  })

  it('reads and writes, and makes the folders that are missing', async () => {
    {
      await using file = await guard.openToWrite('new/deep/file.txt')
      await file.writeFile('x')
    }
    await using again = await guard.openToRead('new/deep/file.txt')
    expect(await again.readFile('utf8')).toBe('x')
    await expect(guard.openToRead('src')).rejects.toMatchObject({ code: 'path-outside' })
    expect(readFileSync(join(folder.path, 'secret'), 'utf8')).toBe('of the host')
  })

  it('whatever the path is made of, what passes lies in the worktree and not in git', async () => {
    const part = fc.constantFrom(
      '..',
      '.',
      'src',
      'out',
      'link',
      'alias',
      '.git',
      'x',
      'dangling',
      'tree',
      'secret',
      '',
    )
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 8 }), fc.boolean(), async (parts, absolute) => {
        const path = (absolute ? `${top}/` : '') + parts.join('/')
        const real = await guard.inside(path).catch((error: { code: string }) => {
          // A file in the place of a folder is for the file system to refuse.
          expect(error.code).toMatch(/^(path-outside|ENOTDIR)$/)
          return top
        })
        expect(real === top || real.startsWith(`${top}/`)).toBe(true)
        expect(real.slice(top.length).split('/')).not.toContain('.git')
      }),
      { numRuns: 400 },
    )
  })
})
