import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ChurnFacts } from '../churn.ts'
import type { OwnershipFacts } from '../ownership-facts.ts'
import { composeReport } from '../report.ts'
import type { Finding, StepResult } from '../result.ts'
import { percent, plural, severityOf, showDay, showSize } from '../result.ts'
import type { SurveyFacts } from '../survey.ts'
import type { TestsFacts } from '../tests.ts'
import { combinedFindings, joinHotSpots } from './combined-findings.ts'
import { code, escapeMarkdown, sparkline, table } from './markdown.ts'
import { type Results, readResults } from './results.ts'

const finding = (id: string, score: number, more: Partial<Finding> = {}): Finding => ({
  id,
  score,
  title: `title of ${id}`,
  why: 'why',
  next: 'next',
  evidence: [],
  ...more,
})

function result<Facts>(step: string, facts: Facts | null, more: Partial<StepResult<Facts>> = {}): StepResult<Facts> {
  return { step, schema: 1, commit: 'c'.repeat(40), facts, findings: [], limits: [], artifacts: [], tookMs: 1, ...more }
}

const surveyFacts: SurveyFacts = {
  repository: { name: 'subject', branch: 'main', bare: false, shallow: false, partial: false },
  commits: 12,
  merges: 1,
  firstCommitAt: 1_700_000_000,
  lastCommitAt: 1_767_225_600,
  monthly: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 10],
  files: 3,
  bytes: 100,
  symlinks: 0,
  submodules: [],
  folders: [],
  items: ['src', 'docs'],
  foldersLeftOut: 0,
}

const hot = (path: string, commits: number, fixes = 0) => ({
  path,
  commits,
  fixes,
  authors: 2,
  added: 1,
  deleted: 1,
  lines: 400,
  heat: commits,
})
const churnFacts: ChurnFacts = {
  window: { commits: 50, from: 1_740_000_000, to: 1_767_225_600, cut: null },
  commitsByPeople: 50,
  people: 3,
  fixCommits: 5,
  added: 1,
  deleted: 1,
  codeFiles: 10,
  changedCodeFiles: 5,
  busiestShare: 0.5,
  hotSpots: [hot('a.ts', 20, 12), hot('b.ts', 15), hot('c.ts', 10)],
  coupling: [],
}
const ownershipFacts: OwnershipFacts = {
  commitsRead: 100,
  people: 5,
  activePeople: 3,
  codeFiles: 10,
  busFactor: { factor: 3, people: ['A', 'B', 'C'] },
  busFactorOfActive: { factor: 3, people: ['A', 'B', 'C'] },
  unattended: { files: 1, folders: [] },
  owners: [],
  singleAuthorFolders: [],
  botCommits: 0,
  busyFiles: [
    { path: 'a.ts', recentCommits: 20, authors: ['A'], attended: true },
    { path: 'b.ts', recentCommits: 15, authors: ['Gone'], attended: false },
    { path: 'c.ts', recentCommits: 10, authors: ['A', 'B'], attended: true },
  ],
}
const testsFacts: TestsFacts = {
  sourceFiles: 5,
  testFiles: 5,
  sourceLines: 1000,
  testLines: 1000,
  languages: [],
  parts: [],
  named: { asked: 5, mentioned: 4, telling: true },
  untested: [{ path: 'a.ts', lines: 400, recentCommits: 20 }],
  untestedCount: 1,
  skipped: [],
  skippedCount: 0,
  focused: [],
  inlineTested: 0,
}

describe('readResults', () => {
  test('finds results however they are wrapped, and passes over the rest', () => {
    const survey = result('survey', surveyFacts)
    const folder = result('folder', { item: 'src' })
    const text = JSON.stringify([
      { result: survey },
      {},
      null,
      { result: [folder, null, { result: folder }] },
      { result: { artifact: 'x.json', bytes: 1 } },
      { result: result('unknown', {}) },
    ])
    const results = readResults(text)
    expect(Object.keys(results.steps)).toEqual(['survey'])
    expect(results.folders).toHaveLength(2)
    expect(readResults(JSON.stringify({ a: { b: survey } })).steps.survey).toEqual(survey)
  })

  test('refuses what is no result', () => {
    for (const text of ['', 'not json', '[]', 'null', JSON.stringify(result('churn', null))]) {
      expect(() => readResults(text)).toThrow(expect.objectContaining({ code: 'checkup-bad-argument' }))
    }
  })
})

describe('composeReport', () => {
  const steps = {
    survey: result('survey', surveyFacts, { limits: ['The history is shallow: 1 commit seen.'] }),
    churn: result('churn', churnFacts, {
      findings: [finding('churn/x', 50), finding('churn/y', 95, { evidence: ['`<b>|x'] })],
    }),
  }

  test('ranks the findings, names what is missing, and says the same in all its forms', () => {
    const { markdown, json, printed } = composeReport({ steps, folders: [] })
    const data = JSON.parse(json) as { findings: { id: string; severity: string }[]; limits: string[] }
    expect(data.findings.map((one) => [one.id, one.severity])).toEqual([
      ['churn/y', 'critical'],
      ['churn/x', 'medium'],
    ])
    expect(printed).toMatchObject({
      counts: { critical: 1, high: 0, medium: 1, low: 0 },
      top: [{ id: 'churn/y' }, { id: 'churn/x' }],
    })
    expect(markdown.indexOf('title of churn/y')).toBeLessThan(markdown.indexOf('title of churn/x'))
    expect(data.limits).toEqual(
      expect.arrayContaining([
        'The history is shallow: 1 commit seen.',
        '2 folders of 2 did not deliver a result.',
        'The step "Ownership" did not deliver a result; its part is missing here.',
      ]),
    )
    for (const limit of data.limits) expect(markdown).toContain(escapeMarkdown(limit))
    expect(printed.summary[0]).toContain('subject at cccccccccccc: 12 commits from 2023-11-14 to 2026-01-01')
    expect(printed.summary.at(-1)).toBe('2 findings: 1 critical, 1 medium.')
    for (const line of printed.summary) expect(line.length).toBeLessThanOrEqual(116)
  })

  test('of a repository without commits says just that', () => {
    const { markdown, printed } = composeReport({
      steps: {
        survey: result<SurveyFacts>('survey', null, { commit: null, limits: ['The repository has no commits yet.'] }),
      },
      folders: [],
    })
    expect(markdown).toContain('no commits yet')
    expect(markdown).not.toContain('## The facts')
    expect(printed.summary.at(-1)).toBe('No findings.')
  })

  test('text of strangers stays text', () => {
    const evil = '<script>alert(1)</script> [x](http://y) **b** | `c` @team #12 \u202e'
    const survey = result('survey', {
      ...surveyFacts,
      repository: { ...surveyFacts.repository, name: evil, branch: evil },
    })
    const churn = result(
      'churn',
      { ...churnFacts, hotSpots: [hot(evil, 20)] },
      { findings: [finding('churn/evil', 80, { title: evil, evidence: [evil] })] },
    )
    const { markdown } = composeReport({ steps: { survey, churn }, folders: [] })
    const outsideCode = markdown.replace(/(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)/g, 'CODE')
    expect(outsideCode).not.toContain('<script>')
    expect(outsideCode).not.toMatch(/(?<!\\)\[x\]/)
    expect(outsideCode).not.toContain('@team')
    expect(outsideCode).not.toContain(' **b**')
  })
})

describe('what only the whole shows', () => {
  const results: Results = {
    steps: {
      churn: result('churn', churnFacts),
      ownership: result('ownership', ownershipFacts),
      tests: result('tests', testsFacts),
    },
    folders: [
      result('folder', {
        item: 'core',
        name: 'core',
        files: 10,
        bytes: 1,
        sourceLines: 5000,
        testLines: 0,
        vendoredFiles: 0,
        languages: [],
        window: churnFacts.window,
        commits: 40,
        added: 100,
        deleted: 1,
        authors: [{ name: 'A', share: 0.9 }],
        authorCount: 2,
        lastChangeAt: 1,
        busiest: [],
      }),
    ],
  }

  test('joins the hot spots with owners and tests', () => {
    expect(joinHotSpots(results).map((file) => [file.path, file.risks])).toEqual([
      ['a.ts', ['only A knows it well', 'no test mentions it', '12 of 20 commits are fixes']],
      ['b.ts', ['nobody active knows it']],
      ['c.ts', []],
    ])
  })

  test('warns where two risks meet, and of busy folders of one person', () => {
    const found = combinedFindings(results)
    expect(found.map((one) => one.id)).toEqual(['combined/risky-files', 'combined/lonely-folders'])
    expect(found[0]!.title).toContain('a.ts is busy (20 commits)')
    expect(combinedFindings({ steps: {}, folders: [] })).toEqual([])
  })
})

describe('Markdown', () => {
  test('code spans hold any text', () => {
    expect(code('plain')).toBe('`plain`')
    expect(code('a`b')).toBe('`` a`b ``')
    expect(code('')).toBe('` `')
    fc.assert(
      fc.property(fc.string(), (text) => {
        const span = code(text)
        const fence = /^`+/.exec(span)![0]
        expect(span.endsWith(fence)).toBe(true)
        expect(
          span
            .slice(fence.length, -fence.length)
            .split(/[^`]+/)
            .every((run) => run.length !== fence.length),
        ).toBe(true)
      }),
    )
  })

  test('tables keep their columns', () => {
    expect(table(['A', 'B'], [['x | y', code('a|b')]], ['B'])).toBe(
      '| A | B |\n| --- | ---: |\n| x \\| y | `a\\|b` |\n',
    )
    expect(table(['A'], [])).toBe('')
    expect(sparkline([0, 1, 2, 4])).toBe('▁▃▅█')
    expect(escapeMarkdown('__init__.py and snake_case')).toBe('\\_\\_init\\_\\_.py and snake_case')
  })
})

test('figures are shown as people write them', () => {
  expect([plural(1, 'file'), plural(1234, 'file'), plural(2, 'dependency', 'dependencies')]).toEqual([
    '1 file',
    '1,234 files',
    '2 dependencies',
  ])
  expect([percent(0, 0), percent(1, 3), percent(1, 30), percent(1, 100_000), percent(1, 1)]).toEqual([
    '0 %',
    '33 %',
    '3.3 %',
    '<0.1 %',
    '100 %',
  ])
  expect([showSize(999), showSize(1500), showSize(123_456_789), showSize(4.2e9)]).toEqual([
    '999 B',
    '1.5 kB',
    '123 MB',
    '4.2 GB',
  ])
  expect([showDay(1_767_225_600), showDay(Number.NaN)]).toEqual(['2026-01-01', 'unknown date'])
  expect([90, 89, 70, 40, 39].map(severityOf)).toEqual(['critical', 'high', 'high', 'medium', 'low'])
})
