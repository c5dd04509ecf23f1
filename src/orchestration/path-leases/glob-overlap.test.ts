import { matchesGlob } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { globsOverlap } from './glob-overlap-contract.ts'

test.each([
  ['src/a.ts', 'src/a.ts', true],
  ['src/a.ts', 'src/b.ts', false],
  ['src/**', 'src/a/b.ts', true],
  ['src/**', 'test/**', false],
  ['**/*.ts', 'src/a.ts', true],
  ['**/*.ts', 'src/a.md', false],
  ['src', 'src/a/b.ts', true],
  ['src/*.ts', 'src/*.md', false],
  ['src/a*', 'src/b*', false],
  ['src/*/index.ts', 'src/a/*.ts', true],
  ['docs/', 'docs/guide.md', true],
  ['a/{b,c}.ts', 'a/c.ts', true],
  ['**', 'anything', true],
])('%s and %s: %s', (one, other, expected) => {
  expect(globsOverlap(one, other)).toBe(expected)
  expect(globsOverlap(other, one)).toBe(expected)
})

test('where a path matches both, they overlap', () => {
  const name = fc.constantFrom('a', 'b', 'ab', 'a.ts', 'b.ts', 'ab.md')
  const segment = fc.oneof(name, fc.constantFrom('*', '**', 'a*', '*.ts', '?', '{a,b}', '[ab]', 'a?.md'))
  const glob = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
  fc.assert(
    fc.property(glob, glob, path, (one, other, file) => {
      if (matchesGlob(file, one) && matchesGlob(file, other)) expect(globsOverlap(one, other)).toBe(true)
    }),
    { numRuns: 3_000 },
  )
})
