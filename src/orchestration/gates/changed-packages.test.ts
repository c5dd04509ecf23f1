import fc from 'fast-check'
import { expect, test } from 'vitest'
import { commandsFor, foldersAbove, packagesOf } from './changed-packages.ts'
import { type DetectedChecks, detectChecks } from './detect-checks.ts'

const detect = (files: Readonly<Record<string, string>>): DetectedChecks =>
  detectChecks({ names: new Set(Object.keys(files)), read: (name) => files[name] ?? null })
const node = detect({ 'package.json': JSON.stringify({ scripts: { test: 'x' } }) })
const go = detect({ 'go.mod': '' })
const texts = (commands: ReturnType<typeof commandsFor>) =>
  commands.map(({ argv, folder }) => `${folder}: ${argv.join(' ')}`)

test('the packages of a change are checked where the top says nothing of their kind', () => {
  const packages = new Map([
    ['api', go],
    ['web', node],
  ])
  expect(texts(commandsFor('tests', detect({}), packages))).toEqual(['api: go test ./...', 'web: npm run test'])
  expect(texts(commandsFor('tests', node, packages))).toEqual([': npm run test', 'api: go test ./...'])
})

const segment = fc.constantFrom('a', 'b', 'c', 'packages')
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => `${parts.join('/')}.txt`)

test('each changed file belongs to the nearest package above it, and to no other', () => {
  fc.assert(
    fc.property(fc.array(path), fc.array(path), (paths, others) => {
      const known = new Set(foldersAbove([...paths, ...others]).filter((_, n) => n % 2 === 0))
      const found = packagesOf(paths, (folder) => known.has(folder))
      for (const folder of found) {
        expect(known.has(folder)).toBe(true)
        expect(paths.some((file) => file.startsWith(`${folder}/`))).toBe(true)
      }
      for (const file of paths) {
        const above = [...known].filter((folder) => file.startsWith(`${folder}/`))
        const nearest = above.toSorted((a, b) => b.length - a.length)[0]
        if (nearest !== undefined) expect(found).toContain(nearest)
      }
    }),
  )
})
