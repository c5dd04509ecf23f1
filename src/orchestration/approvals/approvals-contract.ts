import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'
import { approvalStateNames } from './approval-states-contract.ts'

export const approvalStateSchema = z.enum(approvalStateNames)

export const approvalSchema = z.object({
  id: z.string(),
  runId: z.string(),
  taskId: z.string(),
  step: z.string(),
  message: z.string(),
  state: approvalStateSchema,
  /** Users, roles or groups that may decide; empty where anybody who may approve can. */
  who: z.array(z.string()),
  /** How many people must approve. */
  count: z.int(),
  /** Where false, none of `requesters` may answer. */
  requesterMayApprove: z.boolean(),
  requesters: z.array(z.string()),
  deadlineAt: z.iso.datetime().nullable(),
  /** What happens at the deadline: `approve`, `reject`, `escalate`, or the choice that is then made. */
  default: z.string().nullable(),
  /** Who else is asked, and when: milliseconds after the question, null at the deadline. */
  escalate: z.array(z.object({ afterMs: z.number().nullable(), to: z.array(z.string()) })),
  /** How many levels of `escalate` were taken. */
  level: z.int(),
  choices: z.array(z.object({ id: z.string(), label: z.string() })),
  freeText: z.boolean(),
  /** Everybody who has answered, in order. */
  answers: z.array(
    z.object({
      by: z.string(),
      decision: z.enum(['approve', 'reject']),
      choice: z.string().nullable(),
      text: z.string().nullable(),
      comment: z.string().nullable(),
      at: z.iso.datetime(),
    }),
  ),
  /** Who decided last; `policy` or `deadline` where nobody had to, or nobody did. */
  answeredBy: z.string().nullable(),
  choice: z.string().nullable(),
  text: z.string().nullable(),
  comment: z.string().nullable(),
  createdAt: z.iso.datetime(),
  answeredAt: z.iso.datetime().nullable(),
})
export type ApprovalView = z.infer<typeof approvalSchema>

const params = z.object({ id: z.string().min(1).max(100) })
const reason = z.object({ comment: z.string().max(10_000).optional() })

export const listApprovals = endpoint({
  method: 'GET',
  path: '/api/v1/approvals',
  summary: 'Lists questions to people, newest first. `run`: of this run and of those that it called.',
  query: z.object({ ...pageQueryShape, state: approvalStateSchema.optional(), run: z.string().max(100).optional() }),
  output: pageOf(approvalSchema),
})

export const showApproval = endpoint({
  method: 'GET',
  path: '/api/v1/approvals/:id',
  summary: 'Shows a question to people: who may answer, who has, and what happens if nobody does.',
  params,
  output: approvalSchema,
})

export const approve = endpoint({
  method: 'POST',
  path: '/api/v1/approvals/:id/approve',
  summary: 'Answers yes: the step succeeds as soon as enough have.',
  params,
  body: reason,
  output: approvalSchema,
})

export const reject = endpoint({
  method: 'POST',
  path: '/api/v1/approvals/:id/reject',
  summary: 'Answers no: the step fails.',
  params,
  body: reason,
  output: approvalSchema,
})

export const answerApproval = endpoint({
  method: 'POST',
  path: '/api/v1/approvals/:id/answer',
  summary: 'Answers by one of the choices, in free words, or both: the step succeeds and puts the answer out.',
  params,
  body: z
    .object({
      choice: z.string().min(1).max(200).optional(),
      text: z.string().max(10_000).optional(),
      ...reason.shape,
    })
    .refine(({ choice, text }) => choice !== undefined || text !== undefined, 'expected choice or text'),
  output: approvalSchema,
})
