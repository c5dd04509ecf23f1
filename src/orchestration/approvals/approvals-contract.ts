import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { pageOf, pageQueryShape } from '../../foundation/platform/http/page-contract.ts'

export const approvalStateSchema = z.enum(['pending', 'approved', 'rejected', 'expired'])

export const approvalSchema = z.object({
  id: z.string(),
  runId: z.string(),
  taskId: z.string(),
  step: z.string(),
  message: z.string(),
  state: approvalStateSchema,
  /** Users or roles that may decide; empty where anybody who may approve can. */
  who: z.array(z.string()),
  deadlineAt: z.iso.datetime().nullable(),
  /** What happens at the deadline. */
  default: z.enum(['approve', 'reject']).nullable(),
  answeredBy: z.string().nullable(),
  comment: z.string().nullable(),
  createdAt: z.iso.datetime(),
  answeredAt: z.iso.datetime().nullable(),
})
export type ApprovalView = z.infer<typeof approvalSchema>

const params = z.object({ id: z.string().min(1).max(100) })
const answer = z.object({ comment: z.string().max(10_000).optional() })

export const listApprovals = endpoint({
  method: 'GET',
  path: '/api/v1/approvals',
  summary: 'Lists questions to people, newest first.',
  query: z.object({ ...pageQueryShape, state: approvalStateSchema.optional(), run: z.string().max(100).optional() }),
  output: pageOf(approvalSchema),
})

export const approve = endpoint({
  method: 'POST',
  path: '/api/v1/approvals/:id/approve',
  summary: 'Answers yes: the step succeeds.',
  params,
  body: answer,
  output: approvalSchema,
})

export const reject = endpoint({
  method: 'POST',
  path: '/api/v1/approvals/:id/reject',
  summary: 'Answers no: the step fails.',
  params,
  body: answer,
  output: approvalSchema,
})
