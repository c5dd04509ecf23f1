import { describe, expect, test } from 'vitest'
import type { BulkFacts } from './bulk.ts'
import { bulkFindings } from './bulk-findings.ts'
import type { ChurnFacts } from './churn.ts'
import { churnFindings } from './churn-findings.ts'
import { type DependenciesFacts, type DependencySources, describeDependencies } from './dependencies-facts.ts'
import { dependencyFindings } from './dependencies-findings.ts'
import type { InventoryFacts } from './inventory.ts'
import { inventoryFindings } from './inventory-findings.ts'
import { findParser } from './manifests/find-parser.ts'
import type { OwnershipFacts } from './ownership-facts.ts'
import { ownershipFindings } from './ownership-findings.ts'
import type { Finding } from './result.ts'
import type { SecretsFacts } from './secrets.ts'
import { leakFindings } from './secrets-findings.ts'
import type { TestsFacts } from './tests.ts'
import { testFindings } from './tests-findings.ts'

const ids = (findings: readonly Finding[]) => findings.map((finding) => finding.id)
const window = { commits: 300, from: 1_735_689_600, to: 1_767_225_600, cut: null }

/** What every finding owes its reader. */
function expectSound(findings: readonly Finding[]): void {
  for (const { title, why, next, evidence, score } of findings) {
    for (const text of [title, why, next]) expect(text).toMatch(/\S{2,}.*\S/)
    expect(evidence.length).toBeLessThanOrEqual(16)
    expect(score).toBeGreaterThan(0)
    expect(score).toBeLessThanOrEqual(100)
  }
}

describe('churn', () => {
  const spot = { path: 'a.ts', commits: 40, fixes: 20, authors: 3, added: 1, deleted: 1, lines: 900, heat: 100 }
  const quiet: ChurnFacts = {
    window,
    commitsByPeople: 1,
    people: 1,
    fixCommits: 0,
    added: 0,
    deleted: 0,
    codeFiles: 100,
    changedCodeFiles: 1,
    busiestShare: 0.4,
    hotSpots: [],
    coupling: [],
  }

  test('speaks of large files that change often, of pairs, and of silence', () => {
    expect(churnFindings(quiet)).toEqual([])
    expect(
      churnFindings({
        ...quiet,
        hotSpots: [
          { ...spot, lines: 100 },
          { ...spot, commits: 3 },
        ],
      }),
    ).toEqual([])
    const findings = churnFindings({
      ...quiet,
      hotSpots: [spot],
      coupling: [{ a: 'x/a.ts', b: 'y/b.ts', together: 9, degree: 0.9 }],
      window: { ...window, commits: 200, from: window.to - 5 * 31_557_600 },
    })
    expect(ids(findings)).toEqual(['churn/hot-spots', 'churn/coupling', 'churn/slow'])
    expectSound(findings)
    const calmer = churnFindings({ ...quiet, hotSpots: [{ ...spot, fixes: 0 }] })
    expect(calmer[0]!.score).toBeLessThan(findings[0]!.score)
  })
})

describe('ownership', () => {
  const owner = (name: string, active: boolean) => ({ name, commits: 50, files: 60, lastCommitAt: window.to, active })
  const healthy: OwnershipFacts = {
    commitsRead: 500,
    people: 20,
    activePeople: 10,
    codeFiles: 100,
    botCommits: 0,
    busyFiles: [],
    singleAuthorFolders: [],
    unattended: { files: 3, folders: [] },
    busFactor: { factor: 6, people: [] },
    busFactorOfActive: { factor: 4, people: [] },
    owners: [owner('Ann', true), owner('Old', false)],
  }
  const with_ = (more: Partial<OwnershipFacts>) => ownershipFindings({ ...healthy, ...more })

  test('is silent about a healthy team, and where nothing can be told', () => {
    expect(with_({})).toEqual([])
    expect(with_({ busFactor: null, busFactorOfActive: null, unattended: { files: 100, folders: [] } })).toEqual([])
  })

  test('is loudest where the one who knows has left', () => {
    const one = { factor: 1, people: ['Ann'] }
    const [stays] = with_({ busFactor: one })
    const [left] = with_({ busFactor: { factor: 1, people: ['Old'] } })
    const [alone] = with_({ busFactor: one, people: 1, activePeople: 1 })
    expect(ids([stays!, left!, alone!])).toEqual([
      'ownership/bus-factor',
      'ownership/bus-factor',
      'ownership/bus-factor',
    ])
    expect(left!.score).toBeGreaterThan(stays!.score)
    expect(alone!.score).toBeLessThan(stays!.score)
    expect(left!.why).toContain('Old was last seen on 2026-01-01')
    expectSound([stays!, left!, alone!])
  })

  test('sees a team that has become thin, lost files and islands', () => {
    const findings = with_({
      busFactorOfActive: { factor: 1, people: ['Ann'] },
      unattended: { files: 40, folders: [{ folder: 'old', files: 30, of: 30 }] },
      singleAuthorFolders: [{ folder: 'x', files: 9, author: 'Old', active: false }],
    })
    expect(ids(findings)).toEqual(['ownership/thin', 'ownership/unattended', 'ownership/islands'])
    expect(findings[2]!.evidence).toEqual(['x: 9 files, Old (inactive)'])
    expectSound(findings)
  })
})

describe('bulk', () => {
  const path = {
    path: 'a.bin',
    versions: 1,
    packed: 20_000_000,
    largest: 20_000_000,
    present: false,
    lastAt: window.to,
  }
  const lean: BulkFacts = {
    objects: 1,
    blobs: 1,
    packed: 50_000_000,
    packedPast: 1,
    presentBytes: 40_000_000,
    heaviest: [],
    deletedFolders: [],
    largestPresent: [{ path: 'x', bytes: 10 }],
    extensions: [],
  }

  test('tells what is deleted, rewritten, and large', () => {
    expect(bulkFindings(lean)).toEqual([])
    const findings = bulkFindings({
      ...lean,
      heaviest: [path, { ...path, path: 'lock.json', present: true, versions: 40, packed: 5_000_000 }],
      deletedFolders: [{ folder: 'vendor', files: 9, packed: 20_000_000 }],
      largestPresent: [{ path: 'big.dat', bytes: 30_000_000 }],
    })
    expect(ids(findings)).toEqual(['bulk/deleted', 'bulk/rewritten', 'bulk/present'])
    expect(findings[0]!.title).toContain('40 %')
    expectSound(findings)
  })
})

describe('inventory', () => {
  const total = { files: 0, lines: 0, bytes: 0 }
  const tidy: InventoryFacts = {
    languages: [],
    languagesLeftOut: 0,
    codeLines: 10_000,
    longFiles: { count: 0, top: [] },
    spdxHeaders: {},
    caseCollisions: [],
    committedPackages: [],
    roles: {
      source: total,
      test: total,
      example: total,
      docs: total,
      vendored: total,
      generated: total,
      lock: total,
      binary: total,
      oversized: total,
      unread: total,
    },
    projectFiles: {
      readme: 'README.md',
      licence: 'LICENSE',
      contributing: null,
      security: null,
      codeOwners: null,
      changelog: null,
      ci: '.github/workflows/a.yml',
    },
  }

  test('tells what is missing, and what should not be there', () => {
    expect(inventoryFindings(tidy)).toEqual([])
    const findings = inventoryFindings({
      ...tidy,
      caseCollisions: [['A', 'a']],
      committedPackages: [{ folder: 'node_modules', files: 500 }],
      longFiles: { count: 1, top: [{ path: 'a.ts', lines: 9000, language: 'TypeScript' }] },
      projectFiles: { ...tidy.projectFiles, readme: null, ci: null },
    })
    expect(ids(findings)).toEqual([
      'inventory/case-collision',
      'inventory/committed-packages',
      'inventory/long-files',
      'inventory/no-readme',
      'inventory/no-ci',
    ])
    expectSound(findings)
  })
})

describe('tests', () => {
  const good: TestsFacts = {
    sourceFiles: 50,
    testFiles: 40,
    sourceLines: 10_000,
    testLines: 8_000,
    languages: [],
    parts: [],
    named: { asked: 40, mentioned: 39, telling: true },
    untested: [],
    untestedCount: 0,
    skipped: [],
    skippedCount: 0,
    focused: [],
    inlineTested: 0,
  }

  test('tells gaps, and stays silent where it cannot know', () => {
    const part = (name: string, source: number, test_: number) => ({ part: name, source, test: test_ })
    const busy = { path: 'a.ts', lines: 400, recentCommits: 12 }
    expect(testFindings(good, window)).toEqual([])
    expect(testFindings({ ...good, untested: [busy], named: { ...good.named, telling: false } }, window)).toEqual([])
    const findings = testFindings(
      {
        ...good,
        untested: [busy, { ...busy, path: 'b.ts' }],
        skipped: [{ path: 't.ts', count: 9 }],
        skippedCount: 9,
        focused: ['t.ts'],
        parts: [part('packages/a', 5000, 3000), part('packages/b', 2000, 900), part('packages/c', 1500, 0)],
      },
      window,
    )
    expect(ids(findings)).toEqual(['tests/focused', 'tests/busy-untested', 'tests/bare-packages', 'tests/skipped'])
    expectSound(findings)
    expect(testFindings({ ...good, untested: [busy] }, window)[0]!.title).toBe(
      'a.ts is busy (12 commits, 400 lines), and no test mentions it',
    )
  })

  test('a repository without tests', () => {
    const [bare] = testFindings({ ...good, testFiles: 0, testLines: 0 }, window)
    const [few] = testFindings({ ...good, testFiles: 1, testLines: 500 }, window)
    expect(bare!.score).toBeGreaterThan(few!.score)
    expectSound([bare!, few!])
  })
})

describe('secrets', () => {
  test('rank by how likely they are', () => {
    const leak = { rule: 'r', what: 'w', path: 'p', line: 1, masked: 'm' }
    const facts: SecretsFacts = {
      filesScanned: 1,
      bytesScanned: 1,
      counts: { likely: 1, possible: 1, inTests: 1 },
      leaks: [
        { ...leak, confidence: 'likely' },
        { ...leak, confidence: 'possible' },
        { ...leak, confidence: 'in tests' },
      ],
      sensitiveFiles: [{ path: '.env', what: 'environment file with values' }],
    }
    const findings = leakFindings(facts)
    expect(ids(findings)).toEqual(['secrets/likely', 'secrets/possible', 'secrets/files'])
    expect(findings[0]!.score).toBeGreaterThan(90)
    expect(findings[1]!.score).toBeLessThan(70)
    expectSound(findings)
    expect(leakFindings({ ...facts, leaks: [{ ...leak, confidence: 'in tests' }], sensitiveFiles: [] })).toEqual([])
  })
})

describe('dependencies', () => {
  const sources = (files: Readonly<Record<string, string>>, more: Partial<DependencySources> = {}): DependenciesFacts =>
    describeDependencies({
      manifests: Object.entries(files).map(([path, text]) => ({ path, manifest: findParser(path)!(text) })),
      locked: [],
      licenceFiles: [{ path: 'LICENSE', licence: 'MIT' }],
      unreadable: [],
      paths: Object.keys(files),
      ...more,
    })
  const json = (dependencies: Record<string, string>, more: object = {}) =>
    JSON.stringify({ private: true, dependencies, ...more })

  test('packages that disagree, in versions that cannot be one', () => {
    const facts = sources({
      'a/package.json': json({ x: '^1.2.0', y: '^1.0.0', z: '1.0.0' }),
      'b/package.json': json({ x: '^2.0.0', y: '~1.9.0', z: '1.0.1' }),
      'examples/c/package.json': json({ y: '^9.0.0' }),
    })
    expect(facts.disagreeing.map((one) => one.name)).toEqual(['x', 'z'])
    expect(facts.ecosystems).toEqual([{ ecosystem: 'npm', manifests: 3, runtime: 3, development: 0 }])
  })

  test('lock files count from any folder above', () => {
    const files = { 'a/b/package.json': json({ x: '*' }), 'c/package.json': json({ x: '*' }) }
    const facts = sources(files, { paths: [...Object.keys(files), 'a/yarn.lock'] })
    expect(facts.unlocked).toEqual([{ path: 'c/package.json', ecosystem: 'npm' }])
    expect(facts.open).toEqual([{ manifest: 'c/package.json', name: 'x', requirement: '*' }])
  })

  test('libraries of Python and Ruby may leave the upper bound open', () => {
    expect(sources({ 'pyproject.toml': '[project]\nname = "x"\ndependencies = ["a>=1"]' }).openCount).toBe(0)
    expect(sources({ 'requirements.txt': 'a>=1\n' }).openCount).toBe(1)
    expect(
      sources({ 'x.gemspec': "Gem::Specification.new 'x' do |s|\ns.add_dependency 'a'\nend", Gemfile: "gem 'b'" })
        .openCount,
    ).toBe(0)
  })

  test('actions and images by how they are pinned', () => {
    const facts = sources({
      '.github/workflows/ci.yml': `- uses: actions/checkout@v4\n- uses: o/r@main\n- uses: o/s@${'b'.repeat(40)}\n`,
      Dockerfile: 'FROM alpine\nFROM node:24\n',
    })
    expect(facts.actions).toEqual({ total: 3, pinned: 1, thirdPartyUnpinned: ['o/r@main'] })
    expect(facts.images).toEqual({
      total: 2,
      unpinned: [{ manifest: 'Dockerfile', name: 'alpine', requirement: 'latest' }],
    })
  })

  test('each becomes a finding', () => {
    const all = sources(
      {
        'package.json': json({ x: '*', f: 'github:o/r' }, { license: 'GPL-3.0' }),
        'b/package.json': json({ x: '^2.0.0' }),
        '.github/workflows/ci.yml': '- uses: o/r@v1\n',
        Dockerfile: 'FROM alpine\n',
      },
      {
        locked: [
          { name: 'g', version: '1', licence: 'AGPL-3.0', development: false },
          { name: 'h', version: '1', licence: 'MIT OR GPL-2.0', development: false },
        ],
      },
    )
    const findings = dependencyFindings(all)
    expect(new Set(ids(findings))).toEqual(
      new Set(
        ['licence-mismatch', 'copyleft', 'from-source', 'open', 'disagreeing', 'unlocked', 'actions', 'images'].map(
          (id) => `dependencies/${id}`,
        ),
      ),
    )
    expect(findings.find((one) => one.id.endsWith('copyleft'))!.title).toContain('1 locked package')
    expectSound(findings)
    expect(ids(dependencyFindings(sources({}, { licenceFiles: [] })))).toEqual(['dependencies/no-licence'])
    expect(dependencyFindings(sources({}))).toEqual([])
  })
})
