import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { parseArguments, printOutcome, programErrors } from '../repo-checkup/program.ts'
import { code, escapeMarkdown, list, table } from '../repo-checkup/report/markdown.ts'
import { plural } from '../repo-checkup/result.ts'
import type { Judgement } from './judge.ts'
import type { Part } from './plan.ts'

/** What feature-dev did, as its steps put it out; lists go part by part, and are null where nothing came so far. */
export interface FeatureDone {
  readonly task: string
  readonly repository: string
  readonly commit: string
  readonly into: string
  readonly note: string
  readonly parts: readonly Part[]
  readonly depth: string
  readonly reviewers: readonly string[]
  readonly commits: readonly (string | null)[] | null
  readonly rounds: readonly (number | null)[] | null
  readonly confidence: readonly (number | null)[] | null
  readonly reviews: readonly (Judgement['reviews'] | null)[] | null
  readonly approvedBy: string | null
  readonly tests: boolean
  readonly merged: readonly (string | null)[] | null
  readonly tries: readonly (number | null)[] | null
  /** Why the merge queue has handed each back: conflict, refused; empty: it has not. */
  readonly handedBack?: readonly (string | null)[] | null
  /** How the run ended; default: well. */
  readonly state?: string
}

/** The documents and the lines for a terminal. Pure. */
export function describeFeature(done: FeatureDone): { markdown: string; json: string; summary: readonly string[] } {
  const short = (commit: string | null | undefined) => (commit ? commit.slice(0, 12) : 'none')
  const rows = done.parts.map((part, at) => [
    escapeMarkdown(part.title),
    part.persona,
    String(done.rounds?.[at] ?? '?'),
    sureness(done.confidence?.[at] ?? null),
    code(short(done.commits?.[at])),
    code(short(done.merged?.[at])),
    (done.tries?.[at] ?? 1) > 1 ? done.handedBack?.[at] || 'yes' : 'no',
  ])
  const count = (done.merged ?? []).filter((commit) => commit !== null).length
  const told = count === done.parts.length ? plural(count, 'part') : `${count} of ${plural(done.parts.length, 'part')}`
  const approved =
    done.approvedBy === null ? 'Nobody was asked to approve.' : `Approved by ${escapeMarkdown(done.approvedBy)}.`
  const failed = done.state !== undefined && done.state !== 'succeeded' && count < done.parts.length
  const markdown = [
    `# ${escapeMarkdown(done.task.split('\n')[0]!.slice(0, 120))}\n`,
    `${told} merged into ${code(done.into)}, which was at ${code(short(done.commit))}. ${approved} Depth ${done.depth}; reviewed by ${done.reviewers.join(', ')}.\n`,
    ...(failed
      ? [
          '**The run did not get to its end: parts without a commit were not accepted, or not merged, within their rounds.**\n',
        ]
      : []),
    ...(done.tests ? [] : ['**The repository has no tests: what was merged was reviewed, and not tested.**\n']),
    table(['Part', 'Persona', 'Rounds', 'Sure', 'Made as', 'Merged as', 'Handed back by the queue'], rows, ['Rounds']),
    '## Task\n',
    quoted(done.task),
    '## Plan\n',
    quoted(done.note),
    ...done.parts.map(
      (part, at) =>
        `### ${at + 1}. ${escapeMarkdown(part.title)}\n\n${quoted(part.task)}\n${reviewText(done.reviews?.[at] ?? [])}`,
    ),
  ].join('\n')
  const rounds = (done.rounds ?? []).reduce<number>((sum, count) => sum + (count ?? 1) - 1, 0)
  const summary = [
    `${told} merged into ${done.into}${count === 0 ? '' : `: ${(done.merged ?? []).map(short).join(', ')}`}.`,
    `${rounds === 0 ? 'Nothing was handed back' : `${plural(rounds, 'hand-back')} ${failed ? 'so far' : 'until all was accepted'}`}; depth ${done.depth}, ${plural(done.reviewers.length, 'reviewer')}${done.approvedBy === null ? '' : `, approved by ${done.approvedBy}`}.`,
    ...(done.tests ? [] : ['The repository has no tests.']),
  ]
  return { markdown, json: `${JSON.stringify({ schema: 1, ...done }, null, 2)}\n`, summary }
}

const sureness = (share: number | null) => (share === null ? 'not told' : `${Math.round(share * 100)} %`)

function reviewText(reviews: Judgement['reviews']): string {
  return list(
    reviews.map(({ reviewer, verdict, comments }) => {
      const said = comments.replaceAll(/\s+/g, ' ').slice(0, 600)
      return `**${reviewer}**: ${verdict}${said === '' ? '' : `. ${escapeMarkdown(said)}`}`
    }),
  )
}

const quoted = (words: string) =>
  `${words
    .trim()
    .split('\n')
    .map((line) => `> ${escapeMarkdown(line)}`.trimEnd())
    .join('\n')}\n`

export async function main(argv: readonly string[]): Promise<void> {
  await printOutcome(async () => {
    const { out } = parseArguments(argv, { out: { type: 'string' as const } })
    if (out === undefined) throw programErrors['checkup-bad-argument']('--out FOLDER is missing')
    const { markdown, json, summary } = describeFeature(JSON.parse(await text(process.stdin)) as FeatureDone)
    await mkdir(out, { recursive: true })
    await writeFile(join(out, 'report.md'), markdown)
    await writeFile(join(out, 'report.json'), json)
    return { summary }
  })
}

if (import.meta.main) await main(process.argv.slice(2))
