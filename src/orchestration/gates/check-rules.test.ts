import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseNumstat, risksOf, sizeOf } from './change-facts.ts'
import { type ConfidenceFacts, type Risk, riskWeights } from './checks-contract.ts'
import { confidencePolicy, experienceKey, judgeConfidence, riskOf } from './confidence-contract.ts'
import { coverageOfOutput, coverageOfReport } from './read-coverage.ts'
import { findingsIn } from './security-findings.ts'

describe('coverage', () => {
  test.each([
    ['lcov.info', 'SF:a\nLF:10\nLH:8\nend_of_record\nSF:b\nLF:10\nLH:10\n', 90],
    ['coverage-summary.json', '{"total":{"lines":{"total":4,"covered":3,"pct":75}}}', 75],
    ['coverage.xml', '<?xml version="1.0"?><coverage version="7" line-rate="0.915" branch-rate="0">', 91.5],
    [
      'jacoco.xml',
      '<report><counter type="LINE" missed="9" covered="1"/><counter type="LINE" missed="5" covered="15"/></report>',
      75,
    ],
    ['summary.txt', 'Name Stmts Miss Cover\nTOTAL 120 18 85%\n', 85],
    ['empty.info', 'nothing', null],
    ['broken.json', '{', null],
  ])('%s', (name, text, percent) => {
    expect(coverageOfReport(name, text)).toBe(percent)
  })

  test.each([
    ['a table with colours', '\u001b[32mAll files |   85.1 |  70 | 90 |  86.2 |\u001b[0m', 86.2],
    ['a summary', 'Statements : 80% ( 8/10 )\nLines        : 81.5% ( 9/11 )', 81.5],
    ['packages of Go', 'ok a 0.1s coverage: 80.0% of statements\nok b 0.1s coverage: 60.0% of statements', 70],
    ['tarpaulin', '85.71% coverage, 6/7 lines covered', 85.71],
    ['node --test', 'ℹ a.mjs    |  50.00 | 10 | 20 | 3-9\nℹ all files | 91.67 |    75.00 |   80.00 | \n', 91.67],
    ['node --test as TAP', '# all files | 64.10 |    75.00 |   80.00 | \n', 64.1],
    ['no figure', 'all good', null],
  ])('printed: %s', (_, text, percent) => {
    expect(coverageOfOutput(text)).toBe(percent)
  })
})

describe('changes', () => {
  const files = parseNumstat('10\t2\tsrc/a.ts\0-\t-\tlogo.png\x00900\t0\tpackage-lock.json\0')

  test('lines count, binary and generated files do not', () => {
    expect(files).toHaveLength(3)
    expect(sizeOf(files)).toBe(12)
  })

  test.each<[string, Risk[]]>([
    ['src/auth/login.ts', ['security']],
    ['migrations/0001_a.sql', ['critical_path']],
    ['.github/workflows/ci.yml', ['critical_path']],
    ['package.json', ['architecture']],
    ['bench/run.ts', ['performance']],
    ['web/index.html', ['customer_facing']],
    ['src/author.ts', ['security']],
    ['README.md', []],
  ])('%s puts %j at stake', (path, risks) => {
    expect(risksOf([{ path, added: 1, removed: 0 }])).toEqual(risks)
  })
})

describe('findings', () => {
  const diff = (path: string, ...lines: string[]) =>
    [`--- a/${path}`, `+++ b/${path}`, '@@ -3,0 +4,9 @@', ...lines].join('\n')

  test('only in what was added, with file and line, and without the secret', () => {
    const key = `AKIA${'Q'.repeat(16)}`
    const found = findingsIn(diff('a.js', '+ok', `-const k = "${key}"`, `+const k = "${key}"`))
    expect(found).toEqual([{ path: 'a.js', line: 5, rule: 'AWS access key', text: 'a.js:5: AWS access key' }])
  })

  test.each([
    ['a.py', 'subprocess.run(x, shell=True)', 'shell from Python'],
    ['a.md', 'subprocess.run(x, shell=True)', null],
    ['a.ts', 'eval(input)', 'evaluated text'],
    ['a.ts', 'this.eval(input)', null],
    ['a.py', 'yaml.load(text, Loader=SafeLoader)', null],
    ['a.pem', '-----BEGIN RSA PRIVATE KEY-----', 'private key'],
    ['a.ts', 'rejectUnauthorized: false', 'certificates not checked'],
    ['a.ts', 'const total = price * 2', null],
  ])('%s: %s', (path, line, rule) => {
    expect(findingsIn(diff(path, `+${line}`))[0]?.rule ?? null).toBe(rule)
  })
})

describe('confidence', () => {
  const facts = (agent: number | null, reviewer: number | null, ...risks: Risk[]): ConfidenceFacts => ({
    ...{ agent, reviewer, risks, type: 'x' },
  })

  test.each([
    [facts(0.75, 0.75), 'ok'],
    [facts(0.74, 0.75), 'review'],
    [facts(0.8, null), 'ok'],
    [facts(0.84, 0.84, 'security', 'critical_path'), 'review'],
    [facts(0.85, 0.85, 'security', 'critical_path'), 'ok'],
    [facts(0.8, 0.8, 'security', 'architecture'), 'ok'],
    [facts(0.59, 0.6), 'block'],
    [facts(null, null), 'review'],
  ] as const)('%j gives %s', (given, level) => {
    expect(judgeConfidence(given, null).level).toBe(level)
  })

  test.each([
    [{ samples: 5, successes: 5 }, 'ok'],
    [{ samples: 4, successes: 4 }, 'review'],
    [{ samples: 10, successes: 9 }, 'review'],
    [{ samples: 11, successes: 10 }, 'ok'],
  ] as const)('after %j nobody, or somebody, is asked: %s', (learned, level) => {
    expect(judgeConfidence(facts(0.7, 0.7), learned).level).toBe(level)
  })

  const risks = fc.uniqueArray(fc.constantFrom(...(Object.keys(riskWeights) as Risk[])))
  const share = fc.double({ min: 0, max: 1, noNaN: true })
  const rank = { ok: 0, review: 1, block: 2 }

  test('more confidence is never judged worse, more risk never better', () => {
    fc.assert(
      fc.property(share, share, risks, risks, (low, high, some, more) => {
        const [less, sure] = low < high ? [low, high] : [high, low]
        const level = (confidence: number, at: Risk[]) =>
          rank[judgeConfidence(facts(confidence, null, ...at), null).level]
        expect(level(sure, some)).toBeLessThanOrEqual(level(less, some))
        expect(level(sure, [...some, ...more])).toBeGreaterThanOrEqual(level(sure, some))
        expect(riskOf([...some, ...more])).toBeGreaterThanOrEqual(riskOf(some))
        expect(riskOf([...some, ...more])).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('the order of risks does not matter for what was learned', () => {
    fc.assert(
      fc.property(risks, (some) => {
        expect(experienceKey({ type: 'x', risks: [...some].reverse() })).toBe(experienceKey({ type: 'x', risks: some }))
      }),
    )
    expect(confidencePolicy.threshold).toBe(0.75)
  })
})
