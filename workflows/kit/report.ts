import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { parseArguments, printOutcome, programErrors } from '../repo-checkup/program.ts'
import { code, escapeMarkdown, list } from '../repo-checkup/report/markdown.ts'
import { type Finding, plural, severityOf } from '../repo-checkup/result.ts'
import type { Section, WorkResult } from './work-program.ts'

/** What a report is made of; parts come from steps and may be missing where a step failed or was skipped. */
export interface ReportSource {
  readonly title: string
  readonly repository: string
  readonly commit: string
  /** By the title of the step. Null: it gave nothing. */
  readonly results: Readonly<Record<string, Partial<WorkResult> | null>>
  /** What agents said, by the title under which it stands. */
  readonly words?: Readonly<Record<string, string | null>>
  /** Ids of findings of one step that another tells better. */
  readonly leaveOut?: readonly string[]
  /** Titles of steps that may be missing without a word. */
  readonly optional?: readonly string[]
}

export interface ComposedReport {
  readonly markdown: string
  readonly json: string
  readonly printed: {
    readonly summary: readonly string[]
    readonly counts: Readonly<Record<'critical' | 'high' | 'medium' | 'low', number>>
    readonly worst: string
  }
}

/** The documents and what the program prints. Pure. */
export function composeReport(source: ReportSource): ComposedReport {
  const parts = Object.entries(source.results)
  const there = parts.flatMap(([title, result]) => (result === null ? [] : [[title, result] as const]))
  const findings = there
    .flatMap(([, { findings: own = [] }]) => own)
    .filter(({ id }) => !(source.leaveOut ?? []).includes(id))
    .toSorted((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
  const counts = { critical: 0, high: 0, medium: 0, low: 0 }
  for (const { score } of findings) counts[severityOf(score)] += 1
  const worst = (['critical', 'high', 'medium', 'low'] as const).find((severity) => counts[severity] > 0) ?? 'none'
  const missing = parts.filter(([title, result]) => result === null && !(source.optional ?? []).includes(title))
  const limits = [
    ...missing.map(([title]) => `The step "${title}" gave no result; its part is missing here.`),
    ...there.flatMap(([title, { limits: own = [] }]) => own.map((limit) => `${title}: ${limit}`)),
  ]
  const words = Object.entries(source.words ?? {}).flatMap(([title, said]): Section[] =>
    said === null || said.trim() === '' ? [] : [{ title, markdown: quoted(said) }],
  )
  const sections = [...there.flatMap(([, { sections: own = [] }]) => own), ...words]
  const at = source.commit === '' ? '' : ` at ${source.commit.slice(0, 12)}`
  const name = source.repository.split('/').at(-1) || 'the repository'
  const count = findings.length === 0 ? 'no findings' : plural(findings.length, 'finding')
  const told = (['critical', 'high', 'medium', 'low'] as const)
    .filter((each) => counts[each] > 0)
    .map((each) => `${counts[each]} ${each}`)
  // "No findings" alone could also be said of what was never done.
  const outcome = [
    ...there.flatMap(([, { headline }]) => headline ?? []),
    `${count}${told.length === 0 ? '' : ` (${told.join(', ')})`}`,
  ].join('; ')
  const markdown = [
    `# ${escapeMarkdown(source.title)}: ${escapeMarkdown(name)}\n`,
    `${source.commit === '' ? 'The repository has no commits yet.' : `Commit ${code(source.commit.slice(0, 12))}.`} ${escapeMarkdown(outcome)}.\n`,
    ...(findings.length === 0 ? [] : ['## What to do\n', findings.map(showFinding).join('\n')]),
    ...sections.map(({ title, markdown: body }) => `## ${escapeMarkdown(title)}\n\n${body.trimEnd()}\n`),
    ...(limits.length === 0 ? [] : ['## What this does not know\n', list(limits.map(escapeMarkdown))]),
  ].join('\n')
  const facts = Object.fromEntries(parts.map(([title, result]) => [title, result?.facts ?? null]))
  const graded = findings.map((finding) => ({ severity: severityOf(finding.score), ...finding }))
  const { title, repository, commit } = source
  const summary = [
    `${title} of ${name}${at}: ${outcome}.`,
    ...findings
      .slice(0, 6)
      .map((finding, index) => cut(`${index + 1}. ${severityOf(finding.score).padEnd(8)} ${finding.title}`)),
    ...limits.slice(0, 2).map((limit) => cut(`note: ${limit}`)),
  ]
  const json = `${JSON.stringify({ schema: 1, title, repository, commit: commit || null, counts, findings: graded, facts, words: source.words ?? {}, limits }, null, 2)}\n`
  return { markdown, json, printed: { summary, counts, worst } }
}

function showFinding(finding: Finding, at: number): string {
  return [
    `### ${at + 1}. ${escapeMarkdown(finding.title)}\n`,
    `**${severityOf(finding.score)}** · ${escapeMarkdown(finding.why)}\n`,
    `**Next:** ${escapeMarkdown(finding.next)}\n`,
    list(finding.evidence.slice(0, 10).map(code)),
  ].join('\n')
}

/** Words of an agent: a quotation, in which nothing is markup of ours. */
function quoted(said: string): string {
  const lines = said.trim().slice(0, 20_000).split('\n')
  return lines
    .map((line) => `> ${escapeMarkdown(line)}`.trimEnd())
    .join('\n>\n')
    .replaceAll('\n>\n>\n', '\n>\n')
}

const cut = (line: string) => (line.length <= 116 ? line : `${line.slice(0, 113)}...`)

export async function main(argv: readonly string[]): Promise<void> {
  await printOutcome(async () => {
    const { out } = parseArguments(argv, { out: { type: 'string' as const } })
    if (out === undefined) throw programErrors['checkup-bad-argument']('--out FOLDER is missing')
    const report = composeReport(readSource(await text(process.stdin)))
    await mkdir(out, { recursive: true })
    await writeFile(join(out, 'report.md'), report.markdown)
    await writeFile(join(out, 'report.json'), report.json)
    return report.printed
  })
}

function readSource(input: string): ReportSource {
  try {
    return JSON.parse(input) as ReportSource
  } catch (error) {
    throw programErrors['checkup-bad-argument']('the results on standard input are not JSON', { cause: error })
  }
}

if (import.meta.main) await main(process.argv.slice(2))
