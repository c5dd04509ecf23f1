import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { parseArguments, printOutcome, programErrors } from './program.ts'
import { joinHotSpots } from './report/combined-findings.ts'
import { rank, summarise } from './report/rank.ts'
import { type Results, readResults } from './report/results.ts'
import { writeMarkdown } from './report/write-markdown.ts'
import { severityOf } from './result.ts'

export interface ReportResult {
  readonly step: 'report'
  readonly schema: 1
  readonly commit: string | null
  /** Lines for a terminal. */
  readonly summary: readonly string[]
  readonly counts: Readonly<Record<'critical' | 'high' | 'medium' | 'low', number>>
  readonly top: readonly { readonly id: string; readonly severity: string; readonly title: string }[]
  readonly artifacts: readonly string[]
}

/** The two documents and what the program prints. Pure. */
export function composeReport(results: Results): {
  readonly markdown: string
  readonly json: string
  readonly printed: Omit<ReportResult, 'artifacts'>
} {
  const ranked = rank(results)
  const { commit, facts } = results.steps.survey!
  const findings = ranked.findings.map((finding) => ({ severity: severityOf(finding.score), ...finding }))
  const counts = { critical: 0, high: 0, medium: 0, low: 0 }
  for (const { severity } of findings) counts[severity] += 1
  const json = {
    schema: 1,
    repository: facts?.repository ?? null,
    commit,
    headline: ranked.headline,
    findings,
    hotFiles: joinHotSpots(results),
    limits: ranked.limits,
    facts: {
      ...Object.fromEntries(Object.entries(results.steps).map(([name, result]) => [name, result.facts])),
      folders: results.folders.map((result) => result.facts),
    },
  }
  return {
    markdown: writeMarkdown(results, ranked),
    json: `${JSON.stringify(json, null, 2)}\n`,
    printed: {
      step: 'report',
      schema: 1,
      commit,
      summary: summarise(ranked, facts?.repository.name ?? 'repository', commit),
      counts,
      top: findings.slice(0, 10).map(({ id, severity, title }) => ({ id, severity, title })),
    },
  }
}

const usage = `Merges the results of the other steps into report.md and report.json.

node run.mjs report --out FOLDER [--results FILE]

The results are one JSON object, { "<step>": result, ..., "folders": [result, ...] }, on standard input or in --results.
`

export async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes('--help')) {
    process.stdout.write(usage)
    return
  }
  await printOutcome(async (): Promise<ReportResult> => {
    const value = { type: 'string' as const }
    const { out, results } = parseArguments(argv, { out: value, results: value })
    if (out === undefined) throw programErrors['checkup-bad-argument']('--out FOLDER is missing')
    const report = composeReport(
      readResults(results === undefined ? await text(process.stdin) : await readFile(results, 'utf8')),
    )
    await mkdir(out, { recursive: true })
    await writeFile(join(out, 'report.md'), report.markdown)
    await writeFile(join(out, 'report.json'), report.json)
    return { ...report.printed, artifacts: ['report.md', 'report.json'] }
  })
}

if (import.meta.main) await main(process.argv.slice(2))
