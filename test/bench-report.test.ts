import { expect, test } from 'vitest'
import { formatReport, judge, type Report, spreadResults } from '../bench/harness/report.ts'

const machine = { cpu: 'test', cores: 2, memoryGb: 4, os: 'linux', node: '24', postgres: '18' }

test('a target is met at its very value, in both directions', () => {
  expect(judge({ a: 0.7, b: 1.5 }, { a: ['>=', 0.7], b: ['<=', 1.5] })).toEqual({
    a: { op: '>=', value: 0.7, met: true },
    b: { op: '<=', value: 1.5, met: true },
  })
  expect(judge({ a: 0.69 }, { a: ['>=', 0.7] }).a?.met).toBe(false)
})

test('a target that nothing measured is refused', () => {
  expect(() => judge({}, { a: ['>=', 1] })).toThrow('target a was not measured')
})

test('the table shows the spread beside the median and the verdict beside the ratio', () => {
  const report: Report = {
    bench: 'sample',
    machine,
    at: '2026-01-01T00:00:00Z',
    results: spreadResults('ours', [100, 300, 200], 'tasks/s'),
    ratios: { vs_peer: 0.5 },
    targets: judge({ vs_peer: 0.5 }, { vs_peer: ['>=', 0.7] }),
  }
  const text = formatReport(report)
  expect(text).toMatch(/ours +200 +tasks\/s +100 to 300/)
  expect(text).toMatch(/vs_peer +0\.50 +>= 0\.7: MISSED/)
})
