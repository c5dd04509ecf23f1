import type { Message } from '@a2a-js/sdk'
import { z } from '../../../foundation/kernel/schema.ts'
import type { AskAnswer, AskChoice } from '../ask-contract.ts'
import type { SessionQuestion } from '../sessions/agent-session.ts'
import { textOf } from './remote-task.ts'

/** How an agent offers choices with what it asks: a data part of its message. Our own server does, too. */
const questionSchema = z.object({
  question: z.object({
    kind: z.enum(['permission', 'question']).default('question'),
    choices: z
      .array(
        z.object({
          id: z.string().min(1).max(200),
          label: z.string().max(500).optional(),
          meaning: z.enum(['allow-once', 'allow-always', 'reject-once', 'reject-always']).optional(),
        }),
      )
      .max(50)
      .default([]),
    freeText: z.boolean().default(true),
  }),
})

/** What a remote agent asks, as a question to people. */
export function questionOf(message: Message | null, turn: number, deadlineMs: number | null): SessionQuestion {
  const data = message?.parts.map(({ content }) => (content?.$case === 'data' ? content.value : undefined)) ?? []
  const told = data.map((value) => questionSchema.safeParse(value)).find(({ success }) => success)?.data?.question
  const choices: readonly AskChoice[] = (told?.choices ?? []).map(({ id, label, meaning }) => ({
    ...{ id, label: label ?? id },
    ...(meaning === undefined ? {} : { meaning }),
  }))
  const text = message === null ? '' : textOf(message.parts)
  return {
    key: `turn-${turn}`,
    kind: told?.kind ?? 'question',
    message: text === '' ? 'the agent needs to know something, but does not say what' : text,
    choices,
    freeText: choices.length === 0 || (told?.freeText ?? true),
    defaultChoice: choices.find(({ meaning }) => meaning === 'reject-once')?.id ?? null,
    deadlineMs,
    details: {},
  }
}

/** The answer in words, for the next message; null: there is none. */
export function wordsOf({ choice, text }: AskAnswer): string | null {
  return text ?? choice
}
