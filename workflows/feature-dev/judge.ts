import { text } from 'node:stream/consumers'
import type { JsonObject, JsonValue } from '../../src/foundation/kernel/json.ts'
import { printOutcome } from '../repo-checkup/program.ts'
import { jsonIn, textOf } from './read-answer.ts'

export interface Judgement {
  readonly accepted: boolean
  /** What whoever made it is told, when it is not accepted. */
  readonly feedback: string
  /** The least that a reviewer is sure of; null: none said so. */
  readonly confidence: number | null
  readonly reviews: readonly { readonly reviewer: string; readonly verdict: string; readonly comments: string }[]
}

export interface Judged {
  /** Outputs of the gate. */
  readonly gate: JsonObject | null
  readonly reviewers: readonly string[]
  /** What each reviewer said; null: the step gave nothing. */
  readonly reviews: readonly (string | null)[]
  /** False: the work left no commit. */
  readonly changed: boolean
}

/** Whether a piece of work is accepted: its gate is open, and every reviewer approves. Who gives no verdict does not. */
export function judge({ gate, reviewers, reviews, changed }: Judged): Judgement {
  if (!changed)
    return {
      accepted: false,
      feedback: 'Nothing was changed. Do the task, or say what stands in its way.',
      confidence: null,
      reviews: [],
    }
  if (gate?.verdict !== 'pass') return { accepted: false, feedback: gateText(gate), confidence: null, reviews: [] }
  const read = reviewers.map((reviewer, index) => readReview(reviewer, reviews[index] ?? null))
  const against = read.filter(({ verdict }) => verdict !== 'approve')
  const sure = read.flatMap(({ confidence }) => (confidence === null ? [] : [confidence]))
  return {
    accepted: against.length === 0,
    feedback: against.map(({ reviewer, comments }) => `The ${reviewer} asks for changes:\n\n${comments}`).join('\n\n'),
    confidence: sure.length === 0 ? null : Math.min(...sure),
    reviews: read.map(({ reviewer, verdict, comments }) => ({ reviewer, verdict, comments })),
  }
}

function readReview(reviewer: string, said: string | null) {
  const answer = said === null ? null : jsonIn(said)
  const verdict = answer?.verdict === 'approve' || answer?.verdict === 'changes' ? answer.verdict : 'none'
  const told = answer?.confidence
  const confidence = typeof told === 'number' && told >= 0 && told <= 1 ? told : null
  // Beside the block the words count; the block itself says nothing more.
  const words = verdict === 'none' ? (said ?? '') : (said ?? '').replaceAll(/```[a-z]*\s*\n[\s\S]*?```/g, '')
  const comments = textOf(answer?.comments, 6_000) || words.trim().slice(-6_000)
  const missing = 'It gave no verdict that can be read, so it does not count as an approval.'
  return { reviewer, verdict, confidence, comments: verdict === 'none' ? `${missing}\n\n${comments}`.trim() : comments }
}

function gateText(gate: JsonObject | null): string {
  const checks = (Array.isArray(gate?.checks) ? gate.checks : []) as readonly JsonObject[]
  const failed = checks.filter(({ passed }) => passed !== true)
  if (failed.length === 0) return 'The checks of the repository could not be done. Run them yourself, and see why.'
  const told = failed.map(({ name, summary, excerpt }) => {
    const shown = textOf(excerpt as JsonValue, 4_000)
    return `- ${String(name)}: ${textOf(summary as JsonValue, 500)}${shown === '' ? '' : `\n\n${indented(shown)}`}`
  })
  return `These checks of the repository do not pass. Correct the cause, and run them yourself before you end.\n\n${told.join('\n')}`
}

const indented = (lines: string) =>
  lines
    .split('\n')
    .map((line) => `      ${line}`)
    .join('\n')

export async function main(): Promise<void> {
  await printOutcome(async () => judge(JSON.parse(await text(process.stdin)) as Judged))
}

if (import.meta.main) await main()
