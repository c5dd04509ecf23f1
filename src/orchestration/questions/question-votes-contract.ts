import type { AskChoice } from '../agents/ask-contract.ts'

/** What one person has answered; the newest of each counts. */
export interface QuestionVote {
  readonly by: string
  readonly choice: string | null
  readonly text: string | null
}

export interface QuestionOutcome {
  readonly choice: string | null
  readonly text: string | null
  /** All who answered so. */
  readonly by: string
}

/** With a further answer; whoever has answered before has changed his mind. */
export function withVote(votes: readonly QuestionVote[], vote: QuestionVote): readonly QuestionVote[] {
  return [...votes.filter(({ by }) => by !== vote.by), vote]
}

/**
 * What the answers have led to; null: more are needed. Where it is about a permission one who refuses is enough, and `count`
 * must allow it: for good where all of them say so, else once. Of other choices the first that `count` people take is the answer.
 * Of words as many people must have written: what all of them wrote is the answer, as it is seldom the same.
 */
export function outcomeOfVotes(
  choices: readonly AskChoice[],
  votes: readonly QuestionVote[],
  count: number,
): QuestionOutcome | null {
  const last = votes.at(-1)
  if (last === undefined) return null
  if (count <= 1) return { choice: last.choice, text: last.text, by: last.by }
  if (last.choice === null) return together(votes, count)
  const meaningOf = (id: string | null) => choices.find((each) => each.id === id)?.meaning
  if (meaningOf(last.choice)?.startsWith('reject')) return { choice: last.choice, text: last.text, by: last.by }
  const isPermission = meaningOf(last.choice)?.startsWith('allow') === true
  const same = votes.filter(({ choice }) =>
    isPermission ? meaningOf(choice)?.startsWith('allow') : choice === last.choice,
  )
  if (same.length < count) return null
  const once = same.find(({ choice }) => meaningOf(choice) === 'allow-once')
  const words = same.flatMap(({ text }) => (text === null ? [] : [text]))
  return {
    choice: (once ?? last).choice,
    text: words.length === 0 ? null : words.join('\n\n'),
    by: same.map(({ by }) => by).join(', '),
  }
}

function together(votes: readonly QuestionVote[], count: number): QuestionOutcome | null {
  const written = votes.filter(({ choice }) => choice === null)
  if (written.length < count) return null
  const words = new Set(written.flatMap(({ text }) => (text === null ? [] : [text.trim()])))
  return { choice: null, text: [...words].join('\n\n'), by: written.map(({ by }) => by).join(', ') }
}
