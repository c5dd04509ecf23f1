import { type Finding, percent, plural, severityOf, showDay } from '../result.ts'
import { combinedFindings } from './combined-findings.ts'
import { type Results, type StepName, stepTitles } from './results.ts'

export interface Ranked {
  /** One sentence about the repository. */
  readonly headline: string
  /** Most important first. */
  readonly findings: readonly Finding[]
  readonly limits: readonly string[]
}

/** Brings the findings of all steps, and those that only the whole shows, into one order. */
export function rank(results: Results): Ranked {
  const present = Object.values(results.steps)
  const findings = [...present.flatMap((result) => result.findings), ...combinedFindings(results)]
  return {
    headline: headline(results),
    findings: findings.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1)),
    limits: gatherLimits(results),
  }
}

function headline({ steps }: Results): string {
  const facts = steps.survey?.facts
  if (!facts) return 'The repository has no commits yet: there is nothing to look at.'
  const languages = (steps.inventory?.facts?.languages ?? []).filter((one) => one.use === 'code')
  const lines = steps.inventory?.facts?.codeLines ?? 0
  const main = languages
    .slice(0, 3)
    .filter((one) => one.lines * 20 >= lines)
    .map((one) => `${one.language} ${percent(one.lines, lines)}`)
  const people = steps.ownership?.facts?.people
  const parts = [
    `${plural(facts.commits, 'commit')} from ${showDay(facts.firstCommitAt)} to ${showDay(facts.lastCommitAt)}`,
    ...(people === undefined ? [] : [plural(people, 'person', 'people')]),
    plural(facts.files, 'file'),
    ...(lines === 0 ? [] : [`${plural(lines, 'line')} of code${main.length > 0 ? ` (${main.join(', ')})` : ''}`]),
  ]
  return `${parts.join(', ')}.`
}

/** Said once each, what is missing first. */
function gatherLimits(results: Results): string[] {
  const missing = (Object.keys(stepTitles) as StepName[]).filter((name) => results.steps[name] === undefined)
  const wanted = results.steps.survey?.facts?.items.length ?? 0
  const lost = wanted - results.folders.length
  return [
    ...missing.map((name) => `The step "${stepTitles[name]}" did not deliver a result; its part is missing here.`),
    ...(lost > 0 ? [`${plural(lost, 'folder')} of ${wanted} did not deliver a result.`] : []),
    ...(Object.keys(stepTitles) as StepName[]).flatMap((name) =>
      (results.steps[name]?.limits ?? []).map((limit) => (name === 'survey' ? limit : `${stepTitles[name]}: ${limit}`)),
    ),
    ...new Set(results.folders.flatMap((result) => result.limits.map((limit) => `Folders: ${limit}`))),
  ]
}

/** A few lines for a terminal: what it is, the first findings, the count. No colour, no markup. */
export function summarise(
  { headline: about, findings }: Ranked,
  name: string,
  commit: string | null,
  width = 116,
): string[] {
  const counts = (['critical', 'high', 'medium', 'low'] as const).map(
    (severity) => [severity, findings.filter((one) => severityOf(one.score) === severity).length] as const,
  )
  return [
    ...wrap(`${name}${commit === null ? '' : ` at ${commit.slice(0, 12)}`}: ${about}`, width),
    ...findings
      .slice(0, 6)
      .flatMap((finding, at) => [
        ...wrap(`${at + 1}. ${severityOf(finding.score).padEnd(8)} ${finding.title}`, width),
        ...wrap(`   next: ${firstSentence(finding.next)}`, width),
      ]),
    findings.length === 0
      ? 'No findings.'
      : `${plural(findings.length, 'finding')}: ${counts
          .filter(([, number]) => number > 0)
          .map(([severity, number]) => `${number} ${severity}`)
          .join(', ')}.`,
  ]
}

/** The rest stands in the report. */
function firstSentence(text: string): string {
  return /^.*?[^.][.;!?](?=\s+[A-Z])/.exec(text)?.[0] ?? text
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(lines.length === 0 ? word : `   ${word}`)
  }
  return lines
}
