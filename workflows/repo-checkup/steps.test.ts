import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bulk } from './bulk.ts'
import { churn } from './churn.ts'
import { dependencies } from './dependencies.ts'
import { duplicates } from './duplicates.ts'
import { folder } from './folder.ts'
import { inventory } from './inventory.ts'
import { ownership } from './ownership.ts'
import type { Step } from './program.ts'
import { readResults } from './report/results.ts'
import { composeReport } from './report.ts'
import {
  checkStep,
  codeLines,
  createRepository,
  day,
  fakeToken,
  newYear,
  noise,
  type TestRepository,
} from './repository.fixture.ts'
import { secrets } from './secrets.ts'
import { secretsHistory } from './secrets-history.ts'
import { survey } from './survey.ts'
import { tests } from './tests.ts'
import { todos } from './todos.ts'

const copied = codeLines(12, 'copy')
let repo: TestRepository

/** A small project with a known past: Old wrote most of it and left, Ann works on it, a bot updates it. */
beforeAll(() => {
  repo = createRepository()
  const old = { author: 'Old Hand' }
  repo.commit(
    {
      'README.md': '# Subject\n',
      LICENSE:
        'Permission is hereby granted, free of charge, to any person obtaining a copy\nThe above copyright notice and this permission notice\n',
      'package.json': JSON.stringify({ name: 's', license: 'Apache-2.0', dependencies: { a: '*' } }),
    },
    { ...old, daysAgo: 1500 },
  )
  for (let at = 0; at < 12; at += 1)
    repo.commit(
      { [`src/old/part${at}.ts`]: `// TODO: finish part ${at}\n${codeLines(60, `p${at}`)}` },
      { ...old, daysAgo: 1400 - at },
    )
  repo.commit(
    { 'media/intro.bin': noise(300_000), 'src/config.ts': `const token = '${fakeToken('stripe')}'\n` },
    { ...old, daysAgo: 1000 },
  )
  repo.commit({ 'media/intro.bin': null, 'src/config.ts': 'const token = readToken()\n' }, { ...old, daysAgo: 999 })
  repo.commit(
    { 'src/hot.ts': `${codeLines(200, 'h')}${copied}`, 'src/cold.ts': `${codeLines(30, 'c')}${copied}` },
    { daysAgo: 100 },
  )
  for (let at = 0; at < 10; at += 1)
    repo.commit(
      { 'src/hot.ts': `${codeLines(200, 'h')}${copied}// change ${at}\n` },
      { daysAgo: 90 - at, message: at % 2 === 0 ? 'fix: a crash' : 'more' },
    )
  repo.commit(
    {
      'src/hot.ts': `${codeLines(200, 'h')}${copied}// change by bot\n`,
      'package-lock.json':
        '{"lockfileVersion":3,"packages":{"node_modules/g":{"version":"1.0.0","license":"GPL-3.0"}}}',
    },
    { author: 'dependabot[bot]', daysAgo: 50 },
  )
  repo.commit(
    {
      'test/cold.test.ts': "import '../src/cold'\nit.only('x', () => {})\n",
      'vendor/lib.js': codeLines(500, 'v'),
      'src/generated.ts': `// @generated\n${codeLines(50, 'g')}`,
    },
    { daysAgo: 40 },
  )
  repo.commit(
    {
      'src/leak.ts': `export const key = '${fakeToken('aws')}'\n`,
      'Src/LEAK.ts': 'export {}\n',
      run: '#!/usr/bin/env python3\nprint(1)\n',
    },
    { daysAgo: 1 },
  )
})
afterAll(() => repo[Symbol.dispose]())

describe('each step on a repository with a known past', () => {
  test('survey', async () => {
    const { facts, commit, limits } = await checkStep(survey, repo.path)
    expect(commit).toBe(repo.git(['rev-parse', 'HEAD']))
    expect(facts).toMatchObject({
      commits: 29,
      merges: 0,
      firstCommitAt: newYear - 1500 * day,
      lastCommitAt: newYear - day,
      symlinks: 0,
      submodules: [],
    })
    expect(facts!.items).toEqual(['src', '.', 'vendor', 'test', 'Src'])
    expect(limits).toEqual([])
  })

  test('inventory', async () => {
    const { facts, findings } = await checkStep(inventory, repo.path)
    expect(facts!.languages.find((one) => one.language === 'TypeScript')).toMatchObject({ files: 18, use: 'code' })
    expect(facts!.languages.find((one) => one.language === 'Python')).toMatchObject({ files: 1, lines: 2 })
    expect(facts!.roles).toMatchObject({
      vendored: { files: 1, lines: 500 },
      generated: { files: 1, lines: 51 },
      lock: { files: 1 },
      test: { files: 1 },
    })
    expect(facts!.caseCollisions).toEqual([['Src/LEAK.ts', 'src/leak.ts']])
    expect(facts!.projectFiles).toMatchObject({ readme: 'README.md', licence: 'LICENSE', ci: null })
    expect(findings.map((one) => one.id)).toEqual(['inventory/case-collision', 'inventory/no-ci'])
  })

  test('churn', async () => {
    const { facts, findings } = await checkStep(churn, repo.path)
    expect(facts!.hotSpots[0]).toMatchObject({
      path: 'src/hot.ts',
      commits: 11,
      fixes: 5,
      authors: 1,
      lines: 213,
      heat: 100,
    })
    expect(facts!.hotSpots.map((spot) => spot.path)).not.toContain('src/generated.ts')
    expect(facts!.window).toMatchObject({ commits: 29, cut: null }) // fewer than 200: all of them
    expect(facts!.fixCommits).toBe(5)
    expect(findings).toEqual([])
  })

  test('ownership', async () => {
    const { facts, findings } = await checkStep(ownership, repo.path)
    expect(facts).toMatchObject({
      people: 2,
      activePeople: 1,
      botCommits: 1,
      busFactor: { factor: 1, people: ['Old Hand'] },
      busFactorOfActive: { factor: 0 },
    })
    expect(facts!.unattended).toMatchObject({ files: 13, folders: [{ folder: 'src/old', files: 12, of: 12 }] })
    expect(facts!.busyFiles[0]).toMatchObject({
      path: 'src/hot.ts',
      authors: ['Ann Author'],
      attended: true,
      recentCommits: 11,
    })
    expect(findings.map((one) => one.id)).toEqual(['ownership/bus-factor', 'ownership/unattended'])
    expect(findings[0]!.score).toBeGreaterThan(80) // the one who knows it has left
  })

  test('dependencies', async () => {
    const { facts, findings } = await checkStep(dependencies, repo.path)
    expect(facts).toMatchObject({
      manifestCount: 1,
      licenceFiles: [{ path: 'LICENSE', licence: 'MIT' }],
      declared: [{ licence: 'Apache-2.0', manifests: 1 }],
      locked: { packages: 1 },
    })
    expect(findings.map((one) => one.id)).toEqual(['dependencies/licence-mismatch', 'dependencies/copyleft'])
  })

  test('secrets, present and past, never in the clear', async () => {
    const present = await checkStep(secrets, repo.path)
    expect(present.facts!.leaks).toEqual([
      {
        rule: 'aws-access-key',
        what: 'AWS access key',
        path: 'src/leak.ts',
        line: 1,
        masked: 'AKIA… (20 characters)',
        confidence: 'likely',
      },
    ])
    expect(present.findings[0]).toMatchObject({ id: 'secrets/likely' })
    const past = await checkStep(secretsHistory, repo.path)
    expect(past.facts).toMatchObject({
      whole: true,
      commitsScanned: 29,
      counts: { likely: 1, possible: 0, inTests: 0 },
    })
    expect(past.facts!.leaks[0]).toMatchObject({
      rule: 'stripe-key',
      path: 'src/config.ts',
      line: 1,
      author: 'Old Hand',
      at: newYear - 1000 * day,
    })
    expect(past.findings[0]!.evidence[0]).toContain('Old Hand')
    for (const kind of ['aws', 'stripe'] as const)
      expect(JSON.stringify([present, past])).not.toContain(fakeToken(kind))
  })

  test('bulk', async () => {
    const { facts } = await checkStep(bulk, repo.path)
    expect(facts!.heaviest[0]).toMatchObject({ path: 'media/intro.bin', versions: 1, largest: 300_000, present: false })
    expect(facts!.deletedFolders[0]).toMatchObject({ folder: 'media', files: 1 })
    expect(facts!.packedPast).toBeGreaterThan(100_000)
    expect(facts!.objects).toBe(Number(repo.git(['count-objects', '-v']).match(/count: (\d+)/)![1]))
  })

  test('duplicates', async () => {
    const { facts } = await checkStep(duplicates, repo.path)
    expect(facts!.blocks).toHaveLength(1)
    expect(facts!.blocks[0]).toMatchObject({
      copies: 2,
      lines: 12,
      places: [
        { path: 'src/cold.ts', from: 31, to: 42 },
        { path: 'src/hot.ts', from: 201, to: 212 },
      ],
    })
    expect(facts!.duplicatedLines).toBe(24)
  })

  test('todos', async () => {
    const { facts, findings } = await checkStep(todos, repo.path)
    expect(facts).toMatchObject({
      total: 12,
      byKind: { TODO: 12, FIXME: 0, HACK: 0, XXX: 0 },
      dated: 12,
      ages: { older: 12 },
    })
    expect(facts!.oldest[0]).toMatchObject({
      path: 'src/old/part0.ts',
      line: 1,
      at: newYear - 1400 * day,
      author: 'Old Hand',
      text: '// TODO: finish part 0',
    })
    expect(findings[0]!.title).toContain('12 markers of 12')
  })

  test('tests', async () => {
    const { facts, findings } = await checkStep(tests, repo.path)
    expect(facts).toMatchObject({ testFiles: 1, testLines: 2, focused: ['test/cold.test.ts'] })
    expect(findings.map((one) => one.id)).toEqual(['tests/none', 'tests/focused'])
  })

  test('folder', async () => {
    const { facts } = await checkStep(folder, repo.path, '--item=src')
    expect(facts).toMatchObject({
      name: 'src',
      files: 17,
      testLines: 0,
      vendoredFiles: 0,
      authorCount: 2,
      lastChangeAt: newYear - day,
      busiest: [
        { path: 'src/hot.ts', commits: 11 },
        { path: 'src/config.ts', commits: 2 },
        { path: 'src/cold.ts', commits: 1 },
      ],
    })
    expect((await checkStep(folder, repo.path, '--item=.')).facts).toMatchObject({ name: '(top level)', files: 5 })
    await expect(checkStep(folder, repo.path, '--item=nope')).rejects.toMatchObject({ code: 'checkup-bad-argument' })
    await expect(checkStep(folder, repo.path)).rejects.toMatchObject({ code: 'checkup-bad-argument' })
  })
})

test('the report on it says what matters, in order', async () => {
  const steps = [
    survey,
    inventory,
    churn,
    ownership,
    dependencies,
    secrets,
    secretsHistory,
    bulk,
    duplicates,
    todos,
    tests,
  ]
  const results = await Promise.all(steps.map((step: Step<unknown>) => checkStep(step, repo.path)))
  const folders = await Promise.all(
    ['src', 'test', 'vendor', '.', 'Src'].map((item) => checkStep(folder, repo.path, `--item=${item}`)),
  )
  const { markdown, printed } = composeReport(readResults(JSON.stringify([...results, ...folders])))
  expect(printed.top.slice(0, 3).map((one) => one.id)).toEqual([
    'secrets/likely',
    'secrets-history/likely',
    'ownership/bus-factor',
  ])
  for (const heading of [
    'Hot spots',
    'People',
    'Folders',
    'Languages',
    'Tests',
    'Copied code',
    'Debt markers',
    'Dependencies and licences',
    'Secrets',
    'Size of the clone',
  ]) {
    expect(markdown).toContain(`### ${heading}\n`)
  }
  expect(markdown).toContain('### Also')
  expect(markdown).not.toMatch(/undefined|NaN|\[object/)
  expect(markdown).not.toContain(fakeToken('aws'))
})

test('an older commit can be looked at', async () => {
  const { facts, commit } = await checkStep(survey, repo.path, '--commit=HEAD~28')
  expect(facts).toMatchObject({ commits: 1, files: 3 })
  expect(commit).toBe(repo.git(['rev-parse', 'HEAD~28']))
})
