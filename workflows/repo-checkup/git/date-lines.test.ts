import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRepository, day, newYear } from '../repository.fixture.ts'
import { dateLines, lastHolding } from './date-lines.ts'
import { openRepository } from './open-repository.ts'

test('lastHolding finds the border with few questions', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(2000), fc.nat(2000), async (size, held) => {
      let asked = 0
      const items = Array.from({ length: size }, (_, at) => at)
      const found = await lastHolding(items, async (item) => {
        asked += 1
        return item < held
      })
      expect(found).toBe(Math.min(size, held) === 0 ? null : Math.min(size, held) - 1)
      expect(asked).toBeLessThanOrEqual(Math.ceil(Math.log2(size + 1)))
    }),
  )
})

test('dates lines by the commit that brought them', async () => {
  using repo = createRepository()
  const keep = '// TODO: the old one\n'
  repo.commit({ 'a.ts': keep }, { daysAgo: 900, author: 'Old Hand' })
  for (let version = 1; version < 20; version += 1) {
    const later = version >= 12 ? '// FIXME: the new one\n' : ''
    repo.commit(
      { 'a.ts': `${keep}${later}version ${version}\n` },
      { daysAgo: 900 - version * 10, author: version === 12 ? 'New Hand' : 'Ann' },
    )
  }
  await using repository = await openRepository(repo.path)
  const context = { signal: new AbortController().signal, expired: () => false, progress: () => {} }
  const lines = [
    { path: 'a.ts', text: '// FIXME: the new one' },
    { path: 'a.ts', text: '// TODO: the old one' },
    { path: 'a.ts', text: 'not there' },
    { path: 'no-such-file', text: 'x' },
  ]
  expect(await dateLines(repository, lines, context)).toEqual({
    origins: [
      { at: newYear - 780 * day, author: 'New Hand' },
      { at: newYear - 900 * day, author: 'Old Hand' },
      undefined,
      undefined,
    ],
    newest: newYear - 710 * day,
  })
  expect((await dateLines(repository, lines, { ...context, expired: () => true })).origins).toEqual(
    lines.map(() => undefined),
  )
})
