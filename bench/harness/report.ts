import type { Machine } from './machine.ts'
import { type Spread, spreadOf } from './statistics.ts'

export interface Result {
  readonly name: string
  readonly value: number
  readonly unit: string
}

export interface Target {
  readonly op: '>=' | '<='
  readonly value: number
  readonly met: boolean
}

/** The one form in which every bench reports. */
export interface Report {
  readonly bench: string
  readonly machine: Machine
  readonly at: string
  readonly results: readonly Result[]
  readonly ratios: Readonly<Record<string, number>>
  readonly targets: Readonly<Record<string, Target>>
}

export type TargetRule = readonly [op: Target['op'], value: number]

/** Judges each ratio for which there is a rule; a rule without a measured ratio is a mistake in the bench. */
export function judge(
  ratios: Readonly<Record<string, number>>,
  rules: Readonly<Record<string, TargetRule>>,
): Record<string, Target> {
  return Object.fromEntries(
    Object.entries(rules).map(([name, [op, value]]) => {
      const ratio = ratios[name]
      if (ratio === undefined) throw new Error(`target ${name} was not measured`)
      return [name, { op, value, met: op === '>=' ? ratio >= value : ratio <= value }]
    }),
  )
}

/** Three results for one repeated measurement: the median under its plain name, then the ends of the spread. */
export function spreadResults(name: string, values: readonly number[], unit: string): Result[] {
  const spread: Spread = spreadOf(values)
  return [
    { name, value: round(spread.median), unit },
    { name: `${name}.min`, value: round(spread.min), unit },
    { name: `${name}.max`, value: round(spread.max), unit },
  ]
}

/** Four significant digits: more would be noise. */
export function round(value: number): number {
  return Number(value.toPrecision(4))
}

/** The report as a table for people. Minimum and maximum stand beside their median. */
export function formatReport(report: Report): string {
  const values = new Map(report.results.map((result) => [result.name, result]))
  const rows = report.results
    .filter(({ name }) => !/\.(min|max)$/.test(name))
    .map(({ name, value, unit }) => {
      const min = values.get(`${name}.min`)?.value
      const max = values.get(`${name}.max`)?.value
      return [
        name,
        format(value),
        unit,
        min === undefined || max === undefined ? '' : `${format(min)} to ${format(max)}`,
      ]
    })
  const ratios = Object.entries(report.ratios).map(([name, value]) => {
    const target = report.targets[name]
    const verdict = target ? `${target.op} ${target.value}: ${target.met ? 'met' : 'MISSED'}` : ''
    return [name, value.toFixed(2), verdict]
  })
  const { machine } = report
  const where = `${machine.cores} cores (${machine.cpu}), ${machine.memoryGb} GB, ${machine.os}, Node ${machine.node}`
  return [
    `${report.bench}, ${report.at}`,
    `${where}${machine.postgres ? `, PostgreSQL ${machine.postgres}` : ''}`,
    '',
    ...align([['result', 'median', 'unit', 'spread'], ...rows]),
    ...(ratios.length > 0 ? ['', ...align([['ratio', 'value', 'target'], ...ratios])] : []),
  ].join('\n')
}

function format(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 4 })
}

function align(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}
