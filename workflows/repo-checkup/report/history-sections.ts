import { showWindow } from '../history-window.ts'
import { percent, plural, showDay } from '../result.ts'
import { joinHotSpots } from './combined-findings.ts'
import { code, escapeMarkdown, sparkline, table } from './markdown.ts'
import type { Results } from './results.ts'

const count = (value: number) => value.toLocaleString('en-US')

export function hotSpotSection(results: Results): string {
  const facts = results.steps.churn?.facts
  if (!facts || facts.hotSpots.length === 0) return ''
  const rows = joinHotSpots(results)
    .slice(0, 12)
    .map((file) => [
      code(file.path),
      String(Math.round(file.heat)),
      count(file.commits),
      count(file.fixes),
      count(file.lines),
      file.authors === null
        ? '-'
        : file.authors.length === 0
          ? 'nobody in particular'
          : escapeMarkdown(file.authors.slice(0, 2).join(', ')) + (file.attended === false ? ' (inactive)' : ''),
      file.tested === null ? '?' : file.tested ? 'yes' : '**no**',
    ])
  return [
    '### Hot spots\n',
    `${showWindow(facts.window)}. ${count(facts.changedCodeFiles)} of ${plural(facts.codeFiles, 'code file')} changed; the busiest 5 % took ${percent(facts.busiestShare, 1)} of the changes. ${percent(facts.fixCommits, facts.commitsByPeople)} of the commits speak of a fix.\n`,
    table(['File', 'Heat', 'Commits', 'Fixes', 'Lines', 'Authors', 'In a test'], rows, [
      'Heat',
      'Commits',
      'Fixes',
      'Lines',
    ]),
    ...(facts.coupling.length === 0
      ? []
      : [
          'Change together, though in different folders:\n',
          table(
            ['One', 'Other', 'Times', 'Degree'],
            facts.coupling
              .slice(0, 6)
              .map((pair) => [code(pair.a), code(pair.b), count(pair.together), percent(pair.degree, 1)]),
            ['Times', 'Degree'],
          ),
        ]),
  ].join('\n')
}

export function ownershipSection({ steps: { ownership, survey } }: Results): string {
  const facts = ownership?.facts
  if (!facts) return ''
  const factor = (value: typeof facts.busFactor) =>
    value === null
      ? 'not computed'
      : `${value.factor}${value.people.length > 0 && value.factor <= 6 ? ` (${value.people.map(escapeMarkdown).join(', ')})` : ''}`
  const rows = facts.owners
    .slice(0, 8)
    .map((owner) => [
      escapeMarkdown(owner.name),
      count(owner.files),
      percent(owner.files, facts.codeFiles),
      count(owner.commits),
      showDay(owner.lastCommitAt),
      owner.active ? 'yes' : 'no',
    ])
  const monthly = survey?.facts?.monthly
  return [
    '### People\n',
    `${plural(facts.people, 'person', 'people')} in ${plural(facts.commitsRead - facts.botCommits, 'commit')} without merges; ${count(facts.activePeople)} in the last year. ` +
      `Bus factor ${factor(facts.busFactor)}; among those active in the last year ${factor(facts.busFactorOfActive)}. ` +
      `${count(facts.unattended.files)} of ${plural(facts.codeFiles, 'code file')} outside tests are known to nobody active.\n`,
    monthly === undefined
      ? ''
      : `Commits a month over the last twelve: ${sparkline(monthly)} (${monthly.join(', ')})\n`,
    table(['Person', 'Author of', 'Share', 'Commits', 'Last', 'Active'], rows, ['Author of', 'Share', 'Commits']),
  ].join('\n')
}

export function debtSection({ steps: { todos } }: Results): string {
  const facts = todos?.facts
  if (!facts || facts.total === 0) return ''
  const kinds = Object.entries(facts.byKind)
    .filter(([, number]) => number > 0)
    .map(([kind, number]) => `${kind} ${count(number)}`)
  const rows = facts.oldest
    .slice(0, 6)
    .map((debt) => [
      showDay(debt.at),
      code(`${debt.path}:${debt.line}`),
      escapeMarkdown(debt.author),
      code(debt.text.slice(0, 80)),
    ])
  return [
    '### Debt markers\n',
    `${kinds.join(', ')}; ${facts.tracked} name an issue or a link. Of ${plural(facts.dated, 'dated marker')}: ${facts.ages.underQuarter} younger than three months, ${facts.ages.underYear} than a year, ${facts.ages.underThreeYears} than three years, ${facts.ages.older} older.\n`,
    table(['Since', 'Where', 'By', 'Text'], rows),
  ].join('\n')
}

export function secretSection({ steps }: Results): string {
  const here = steps.secrets?.facts
  const past = steps['secrets-history']?.facts
  if (!here && !past) return ''
  const parts: string[] = []
  if (here)
    parts.push(
      `Present files: ${here.counts.likely} likely, ${here.counts.possible} possible, ${here.counts.inTests} in tests, examples and docs (${plural(here.filesScanned, 'file')} searched).`,
    )
  if (past)
    parts.push(
      `History: ${past.counts.likely} likely, ${past.counts.possible} possible, ${past.counts.inTests} in tests, examples and docs, all deleted since (${plural(past.linesScanned, 'added line')} of ${plural(past.commitsScanned, 'commit')} searched).`,
    )
  return ['### Secrets\n', `${parts.join('\n\n')}\n`, 'Values are masked everywhere, here and in report.json.\n'].join(
    '\n',
  )
}
