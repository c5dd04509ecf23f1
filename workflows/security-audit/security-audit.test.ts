import { describe, expect, test } from 'vitest'
import { checkStep, createRepository } from '../repo-checkup/repository.fixture.ts'
import { files } from './files.ts'
import { riskyLines } from './line-rules.ts'
import { findDrift } from './lock-rules.ts'
import { locks } from './locks.ts'
import { pipelines } from './pipelines.ts'

const idsOf = (result: { findings: readonly { id: string }[] }) =>
  result.findings.map(({ id }) => id.split('/')[1]).sort()

describe('manifests and lock files', () => {
  const npm = (manifest: object, packages: object) => [
    { path: 'a/package.json', text: JSON.stringify(manifest) },
    { path: 'a/package-lock.json', text: JSON.stringify({ packages }) },
  ]

  test.each([
    ['the same', npm({ dependencies: { x: '^1' } }, { '': { dependencies: { x: '^1' } }, 'node_modules/x': {} }), []],
    [
      'another range',
      npm({ dependencies: { x: '^2' } }, { '': { dependencies: { x: '^1' } }, 'node_modules/x': {} }),
      ['x: wanted ^2, locked for ^1'],
    ],
    ['one more', npm({ devDependencies: { y: '1' } }, { '': {} }), ['y@1 is not in the lock file']],
    ['one less', npm({}, { '': { dependencies: { x: '1' } } }), ['x is locked and no longer wanted']],
    ['not locked', npm({ dependencies: { x: '1' } }, { '': { dependencies: { x: '1' } } }), ['x is not locked']],
    ['a folder', npm({ dependencies: { x: 'file:x' } }, { '': { dependencies: { x: 'file:x' } } }), []],
    [
      'no JSON',
      [
        { path: 'package.json', text: '{' },
        { path: 'package-lock.json', text: '{}' },
      ],
      ['one of the two is no JSON'],
    ],
    [
      'Cargo',
      [
        { path: 'Cargo.toml', text: '[package]\nname = "me"\n[dependencies]\nserde = "1"\nlog = { path = "log" }\n' },
        { path: 'Cargo.lock', text: 'name = "me"\n' },
      ],
      ['serde is not in the lock file'],
    ],
    [
      'Go',
      [
        { path: 'go.mod', text: 'module m\nrequire (\n\ta.b/c v1.0.0\n\td.e/f v2.0.0\n)\nreplace d.e/f => ../f\n' },
        { path: 'go.sum', text: 'x v1 h1:\n' },
      ],
      ['a.b/c v1.0.0 is not in the lock file'],
    ],
    ['Go without sums', [{ path: 'go.mod', text: 'module m\nrequire a.b/c v1.0.0\n' }], ['go.sum is not there']],
    [
      'Composer',
      [
        { path: 'composer.json', text: '{"require":{"php":"8","a/B":"1"}}' },
        { path: 'composer.lock', text: '{"packages":[{"name":"c/d"}]}' },
      ],
      ['a/b is not in the lock file'],
    ],
  ])('%s', (_, sources, told) => {
    expect(findDrift(sources).drift.map(({ what }) => what)).toEqual(told)
  })

  test('packages that cannot be verified', () => {
    const packages = {
      'node_modules/a': { resolved: 'http://r/a.tgz', integrity: 'x' },
      'node_modules/b': { resolved: 'https://r/b.tgz' },
      'node_modules/c': { resolved: 'https://r/c.tgz', integrity: 'x' },
    }
    expect(findDrift(npm({}, packages)).insecure).toHaveLength(2)
  })
})

test.each([
  ['a.js', 'eval(text)', 'eval'],
  ['a.js', 'db.query(`SELECT * FROM t WHERE id = ${id}`)', 'sql'],
  ['a.py', 'cursor.execute("SELECT 1 WHERE x = %s", (x,))', null],
  ['a.py', 'subprocess.run(cmd, shell=True)', 'shell'],
  ['a.ts', 'const token = Math.random().toString(36)', 'random'],
  ['a.ts', 'const delay = Math.random()', null],
  ['a.ts', 'element.innerHTML = value', 'markup'],
  ['a.ts', "element.innerHTML = ''", null],
  ['a.ts', '// eval(text)', null],
  ['a.md', 'eval(text)', null],
  ['x/Dockerfile', 'RUN curl https://x | sh', 'pipe'],
  ['a.ts', 'fetch(url, { rejectUnauthorized: false })', 'tls'],
])('%s: %s', (path, line, rule) => {
  expect(riskyLines(path, line)[0]?.rule.id ?? null).toBe(rule)
})

test('a repository with all of it: files, modes, links, names, lines, pipelines, locks', async () => {
  using repo = createRepository()
  repo.link('out', '../../etc/passwd')
  repo.link('in', 'src/a.js')
  repo.commit({
    ...{ id_rsa: 'x', '.env': 'A=1', 'data.sqlite': 'x', 'tool.exe': 'x', 'notes.md': '# x', 'evil\u202etxt.js': 'x' },
    ...{ 'src/a.js': 'eval(x)\n', 'test/b.test.js': 'el.innerHTML = y\n', 'od"d na\tme.py': 'os.system(x)\n' },
    'package.json': '{"dependencies":{"x":"1"}}',
    'package-lock.json': '{"packages":{"":{}}}',
    '.github/workflows/ci.yml':
      'on: { pull_request_target: }\njobs:\n  a:\n    steps:\n      - uses: o/n@v1\n      - uses: actions/checkout@v4\n        with: { ref: "${{ github.event.pull_request.head.sha }}" }\n      - run: |\n          echo ${{ github.event.issue.title }}\n',
    Dockerfile: 'FROM node:24 AS build\nARG NPM_TOKEN\nFROM build\nRUN true\n',
  })
  repo.git(['update-index', '--chmod=+x', 'notes.md'])
  repo.git(['commit', '-q', '-m', 'mode'])
  const found = await checkStep(files, repo.path)
  expect(idsOf(found)).toEqual([
    'binaries',
    'dumps',
    'environment',
    'eval',
    'executable',
    'keys',
    'links',
    'markup',
    'names',
    'shell',
  ])
  expect(found.findings.find(({ id }) => id === 'files/links')!.evidence).toEqual(['out -> ../../etc/passwd'])
  expect(found.findings.find(({ id }) => id === 'files/markup')).toMatchObject({
    score: 15,
    title: expect.stringContaining('in tests alone'),
  })
  const ci = await checkStep(pipelines, repo.path)
  expect(idsOf(ci)).toEqual(['images', 'injection', 'permissions', 'root', 'secrets', 'target', 'unpinned'])
  expect(ci.facts).toMatchObject({ actions: { total: 2, pinned: 0 }, images: { total: 1, pinned: 0 } })
  expect((await checkStep(locks, repo.path)).facts).toMatchObject({ compared: 1, driftCount: 1 })
})

test('an empty repository, and a clean one cloned without its history', async () => {
  using empty = createRepository()
  for (const step of [files, pipelines, locks]) {
    expect(await checkStep(step as typeof files, empty.path)).toMatchObject({ facts: null, findings: [] })
  }
  using repo = createRepository()
  repo.commit({ 'a.js': 'let a\n' })
  repo.commit({ 'a.js': 'let b\n' })
  using clone = createRepository('clone')
  clone.git(['fetch', '-q', '--depth=1', `file://${repo.path}`, 'main'])
  clone.git(['reset', '-q', '--hard', 'FETCH_HEAD'])
  for (const step of [files, pipelines, locks])
    expect((await checkStep(step as typeof files, clone.path)).findings).toEqual([])
})
