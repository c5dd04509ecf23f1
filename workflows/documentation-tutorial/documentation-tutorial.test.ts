import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readToolchain } from '../kit/toolchain.ts'
import { runWork } from '../kit/work-program.ts'
import { checkStep, createRepository } from '../repo-checkup/repository.fixture.ts'
import { anchorsOf, blocksOf, brokenLinks, unknownCommands } from './doc-rules.ts'
import { draft, draftOf } from './draft.ts'
import { survey } from './survey.ts'
import { tryOut } from './try.ts'

const world = new Set(['docs/a.md', 'docs/b c.md', 'src/x.js', 'README.md'])
const anchors = new Map([['docs/a.md', anchorsOf('# Hello, `World`!\n## Hello World\n## Hello World\n')]])

test.each([
  ['[x](a.md)', null],
  ['[x](a.md#hello-world)', null],
  ['[x](a.md#hello-world-1)', null],
  ['[x](a.md#nothing)', 'a.md#nothing'],
  ['[x](b%20c.md)', null],
  ['[x](../src/x.js "title")', null],
  ['[x](../src)', null],
  ['[x](/README.md)', null],
  ['[x](gone.md)', 'gone.md'],
  ['[x](https://example.org/gone.md)', null],
  ['[x](mailto:a@b.c)', null],
  ['`[x](gone.md)`', null],
  ['```\n[x](gone.md)\n```', null],
  ['[x](../../elsewhere.md)', null],
  ['![p](p.png) and [y](a.md)', 'p.png'],
])('%j', (text, target) => {
  expect(brokenLinks({ path: 'docs/a.md', text }, world, anchors)[0]?.target ?? null).toBe(target)
})

test('blocks are found with their lines, whatever fence they have', () => {
  const fence = fc.constantFrom('```', '````', '~~~')
  const body = fc.array(fc.constantFrom('a', '', '# b', '``'), { maxLength: 5 })
  fc.assert(
    fc.property(fc.array(fc.tuple(fence, body), { maxLength: 5 }), (blocks) => {
      const text = blocks.map(([mark, lines]) => [`${mark}sh`, ...lines, mark].join('\n')).join('\n\n')
      const found = blocksOf(text)
      expect(found.map((each) => each.text)).toEqual(blocks.map(([, lines]) => lines.join('\n')))
      const all = text.split('\n')
      for (const { line, text: inner } of found)
        expect(all.slice(line - 1, line - 1 + inner.split('\n').length).join('\n')).toBe(
          inner === '' ? all[line - 1]! : inner,
        )
    }),
  )
})

test('commands that the repository does not have', () => {
  const text =
    '```sh\nnpm run build\n$ npm run gone\nmake all\nmake\nbash ./run.sh\nnode ./src/x.js\n```\n```js\nnpm run gone\n```\n'
  const known = { scripts: new Set(['build']), targets: new Set(['test']), paths: world }
  expect(unknownCommands({ path: 'a.md', text }, known)).toEqual([
    { path: 'a.md', line: 3, what: 'npm run gone' },
    { path: 'a.md', line: 4, what: 'make all' },
    { path: 'a.md', line: 6, what: './run.sh' },
  ])
})

test('a real repository: surveyed, drafted, and the draft tried out', async () => {
  using repo = createRepository()
  const manifest = {
    name: 'shop',
    description: 'Sells.',
    bin: { shop: 'x' },
    scripts: { test: 'true', build: 'true', 'build:x': 'true', fancy: 'true' },
  }
  repo.commit({
    'package.json': JSON.stringify(manifest),
    'README.md':
      '# Shop\n\nUsage: `npm test`, [guide](docs/guide.md), [gone](docs/gone.md)\n\n```sh\nnpm run gone\n```\n',
    'docs/guide.md': '# Guide\n[odd](odd%20name.md)\n',
    'docs/odd name.md': '# Odd\n',
    'vendor/README.md': '[x](nowhere.md)\n',
  })
  const found = await checkStep(survey, repo.path)
  expect(found.facts).toMatchObject({ links: 1, commands: 1, unmentioned: ['shop', 'npm run build', 'npm run fancy'] })
  expect(found.findings.map(({ id }) => id).sort()).toEqual([
    'docs/commands',
    'docs/links',
    'docs/topics',
    'docs/unmentioned',
  ])

  const written = await runWork(draft, [
    '--dir',
    repo.path,
    '--file',
    'docs/new/tutorial.md',
    '--subject',
    'first steps',
  ])
  expect(written.facts).toEqual({ file: 'docs/new/tutorial.md', written: true, steps: 2 })
  const text = readFileSync(join(repo.path, 'docs/new/tutorial.md'), 'utf8')
  expect(text).toMatch(/^# First steps\n\nSells\.[\s\S]*```sh\nnpm run build\n```[\s\S]*npm run test/)
  expect((await runWork(draft, ['--dir', repo.path, '--file', 'docs/new/tutorial.md'])).facts.written).toBe(false)
  expect((await runWork(tryOut, ['--dir', repo.path, '--file', 'docs/new/tutorial.md'])).facts).toMatchObject({
    blocks: 2,
    passed: 2,
    failedAt: null,
  })
  expect((await runWork(tryOut, ['--dir', repo.path, '--file', 'README.md'])).findings).toMatchObject([
    { title: 'The tutorial stops working at line 6' },
  ])
  expect((await runWork(tryOut, ['--dir', repo.path, '--file', 'none.md'])).findings).toMatchObject([
    { id: 'try/missing' },
  ])
})

test('an empty repository, and one without documents', async () => {
  using empty = createRepository()
  expect(await checkStep(survey, empty.path)).toMatchObject({ facts: null, findings: [] })
  using bare = createRepository('bare')
  bare.commit({ 'a.js': 'x' })
  expect((await checkStep(survey, bare.path)).findings).toMatchObject([{ id: 'docs/readme' }])
  expect(draftOf('x', readToolchain(bare.path)).text).toContain('names no command')
})
