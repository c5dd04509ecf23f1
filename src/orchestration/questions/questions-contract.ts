import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'

/** `withdrawn`: whoever asked no longer waits. */
export const questionStateSchema = z.enum(['pending', 'answered', 'expired', 'withdrawn'])

export const questionSchema = z.object({
  id: z.string(),
  runId: z.string(),
  taskId: z.string(),
  step: z.string(),
  /** `permission`: may the agent do what `details` says? `question`: it needs to know something. */
  kind: z.enum(['permission', 'question']),
  message: z.string(),
  choices: z.array(
    z.object({
      id: z.string(),
      label: z.string(),
      meaning: z.enum(['allow-once', 'allow-always', 'reject-once', 'reject-always']).optional(),
    }),
  ),
  /** Whether an answer in free words is one. */
  freeText: z.boolean(),
  /** The choice of the agent itself, taken at the deadline unless `default` says something else; null: none. */
  defaultChoice: z.string().nullable(),
  /** Users, roles or groups that may answer; empty where anybody who may approve can. */
  who: z.array(z.string()),
  /** How many must allow it, or take the same choice. */
  count: z.int(),
  /** Who has answered so far; the newest answer of each. */
  votes: z.array(z.object({ by: z.string(), choice: z.string().nullable(), text: z.string().nullable() })),
  /** What happens at the deadline: `approve`, `reject`, `escalate`; null: the choice of the agent. */
  default: z.enum(['approve', 'reject', 'escalate']).nullable(),
  /** Who else is asked, and when: milliseconds after the question, null at the deadline. */
  escalate: z.array(z.object({ afterMs: z.number().nullable(), to: z.array(z.string()) })),
  /** How many levels of `escalate` were taken. */
  level: z.int(),
  details: z.record(z.string(), z.json()),
  state: questionStateSchema,
  choice: z.string().nullable(),
  text: z.string().nullable(),
  answeredBy: z.string().nullable(),
  deadlineAt: z.iso.datetime(),
  createdAt: z.iso.datetime(),
  answeredAt: z.iso.datetime().nullable(),
})
export type QuestionView = z.infer<typeof questionSchema>

export const listQuestions = endpoint({
  method: 'GET',
  path: '/api/v1/questions',
  summary: 'Lists what agents at work ask people, newest first. `run`: of this run and of those that it called.',
  query: z.object({ ...pageQueryShape, state: questionStateSchema.optional(), run: z.string().max(100).optional() }),
  output: pageOf(questionSchema),
})

export const showQuestion = endpoint({
  method: 'GET',
  path: '/api/v1/questions/:id',
  summary: 'Shows what an agent asks.',
  params: z.object({ id: z.string().min(1).max(100) }),
  output: questionSchema,
})

export const answerQuestion = endpoint({
  method: 'POST',
  path: '/api/v1/questions/:id/answer',
  summary: 'Answers an agent: by one of its choices, in free words, or both.',
  params: z.object({ id: z.string().min(1).max(100) }),
  body: z
    .object({ choice: z.string().min(1).max(200).optional(), text: z.string().max(10_000).optional() })
    .refine(({ choice, text }) => choice !== undefined || text !== undefined, 'expected choice or text'),
  output: questionSchema,
})
