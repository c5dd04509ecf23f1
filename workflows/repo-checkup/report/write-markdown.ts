import { type Finding, plural, severityOf, showDay } from '../result.ts'
import {
  bulkSection,
  dependencySection,
  duplicateSection,
  folderSection,
  languageSection,
  testSection,
} from './code-sections.ts'
import { debtSection, hotSpotSection, ownershipSection, secretSection } from './history-sections.ts'
import { code, escapeMarkdown, list } from './markdown.ts'
import type { Ranked } from './rank.ts'
import type { Results } from './results.ts'

const shownInFull = 8

/** The whole report as Markdown. */
export function writeMarkdown(results: Results, { findings, limits, headline }: Ranked): string {
  const { survey } = results.steps
  const facts = survey!.facts
  return [
    `# Checkup of ${escapeMarkdown(facts?.repository.name ?? 'an empty repository')}\n`,
    `${escapeMarkdown(headline)}\n`,
    ...(facts === null
      ? []
      : [
          `Commit ${code(survey!.commit!.slice(0, 12))} of ${showDay(facts.lastCommitAt)}${facts.repository.branch === null ? ', detached' : `, branch ${code(facts.repository.branch)}`}.\n`,
        ]),
    '## What to do first\n',
    findings.length === 0 ? 'Nothing stood out.\n' : findings.slice(0, shownInFull).map(showFinding).join('\n'),
    ...(findings.length > shownInFull ? ['### Also\n', list(findings.slice(shownInFull).map(shortFinding))] : []),
    ...(facts === null
      ? []
      : [
          '## The facts\n',
          hotSpotSection(results),
          ownershipSection(results),
          folderSection(results),
          languageSection(results),
          testSection(results),
          duplicateSection(results),
          debtSection(results),
          dependencySection(results),
          secretSection(results),
          bulkSection(results),
        ]),
    '## What this does not know\n',
    list(limits.map(escapeMarkdown)),
    '## How it was measured\n',
    list(methods),
  ]
    .filter((part) => part !== '')
    .join('\n')
}

function showFinding(finding: Finding, at: number): string {
  return [
    `### ${at + 1}. ${escapeMarkdown(finding.title)}\n`,
    `**${severityOf(finding.score)}** · ${escapeMarkdown(finding.why)}\n`,
    `**Next:** ${escapeMarkdown(finding.next)}\n`,
    list(finding.evidence.slice(0, 6).map(code)),
  ].join('\n')
}

function shortFinding(finding: Finding): string {
  const more =
    finding.evidence.length > 0
      ? ` (${code(finding.evidence[0]!)}${finding.evidence.length > 1 ? ` and ${plural(finding.evidence.length - 1, 'more', 'more')}` : ''})`
      : ''
  return `**${severityOf(finding.score)}** ${escapeMarkdown(finding.title)}. ${escapeMarkdown(finding.next)}${more}`
}

const methods = [
  'Everything is read from the objects of git, at one commit; the working tree is not looked at, nothing of the repository is run, and there is no network.',
  'Vendored, generated and lock files are recognised by path and marker, counted, and left out of every ranking.',
  'Heat = commits in the window x lines now, the hottest being 100 (Tornhill). The window is the last 365 days before the commit, or the last 200 commits where there are fewer; merges and bots are left out.',
  'Bus factor: truck factor by degree of authorship (Avelino et al., ICPC 2016): the people who can leave before more than half of the code files have no author. Active means a commit in the last 365 days.',
  'People are joined by .mailmap, by address, and by equal full names.',
  'Copied code: eight equal lines or more, white space, comments, imports and lone brackets aside.',
  'Secrets: known token shapes, and assignments whose value looks random (Shannon entropy).',
]
