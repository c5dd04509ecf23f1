import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseWorkflow } from '../src/orchestration/workflows/index.ts'
import { composeReport } from './kit/report.ts'

const folder = import.meta.dirname
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'))

describe('the built-in workflows', () => {
  test('are these', () => {
    expect(files.map((name) => name.replace('.yaml', '')).sort()).toEqual([
      ...['deployment-production', 'documentation-tutorial', 'feature-deliver', 'feature-dev', 'feature-part'],
      ...[
        'feature-round',
        'feature-solve',
        'health-check',
        'performance-optimization',
        'repo-checkup',
        'security-audit',
        'testing-validation',
      ],
    ])
  })

  test.each(files)('%s has no mistakes, a description, and programs that exist', (name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    const { definition, warnings } = parseWorkflow(text, name)
    expect(warnings).toEqual([])
    expect(definition.name).toBe(name.replace('.yaml', ''))
    expect(definition.description?.length).toBeGreaterThan(60)
    const programs = JSON.stringify(definition).match(/"(?:[a-z-]+\/[a-z-]+)"/g) ?? []
    for (const program of programs) {
      const [place, file] = JSON.parse(program).split('/') as [string, string]
      if (existsSync(join(folder, place))) expect(existsSync(join(folder, place, `${file}.ts`)), program).toBe(true)
    }
  })
})

describe('reports', () => {
  const base = { title: 'T', repository: '/a/shop', commit: 'c'.repeat(40) }
  const finding = (score: number, title: string) => ({
    id: `x/${title}`,
    score,
    title,
    why: 'w',
    next: 'n',
    evidence: ['e'],
  })

  test('the gravest first, counted, and what is missing is said', () => {
    const { markdown, json, printed } = composeReport({
      ...base,
      results: { A: { findings: [finding(30, 'small'), finding(95, 'large')], limits: ['not all'] }, B: null, C: null },
      optional: ['C'],
    })
    expect(printed).toMatchObject({ counts: { critical: 1, high: 0, medium: 0, low: 1 }, worst: 'critical' })
    expect(printed.summary[0]).toBe('T of shop at cccccccccccc: 2 findings (1 critical, 1 low).')
    expect(markdown.indexOf('large')).toBeLessThan(markdown.indexOf('small'))
    expect(markdown).toContain('The step "B" gave no result')
    expect(markdown).not.toContain('"C"')
    const done = composeReport({ ...base, results: { A: { headline: 'it went well' }, B: null } })
    expect(done.printed.summary[0]).toBe('T of shop at cccccccccccc: it went well; no findings.')
    expect(done.markdown).toContain('it went well; no findings.')
    const less = composeReport({ ...base, results: { A: { findings: [finding(95, 'large')] } }, leaveOut: ['x/large'] })
    expect(less.printed.worst).toBe('none')
    expect(JSON.parse(json)).toMatchObject({ schema: 1, findings: [{ severity: 'critical' }, { severity: 'low' }] })
  })

  test('words of agents are a quotation, whatever they are', () => {
    fc.assert(
      fc.property(fc.string(), (said) => {
        const words = `# Title\n<script>\n${said}`
        const { markdown } = composeReport({ ...base, results: {}, words: { 'An agent': words } })
        const quoted = markdown.slice(markdown.indexOf('## An agent') + '## An agent\n\n'.length).trimEnd()
        expect(quoted.split('\n').every((line) => line.startsWith('>'))).toBe(true)
        expect(markdown).not.toContain('<script>')
      }),
    )
  })
})
