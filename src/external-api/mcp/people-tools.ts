import { z } from '../../foundation/kernel/schema.ts'
import {
  approvalStateSchema,
  approve,
  listApprovals,
  reject,
} from '../../orchestration/approvals/approvals-contract.ts'
import { answerQuestion, listQuestions, questionStateSchema } from '../../orchestration/questions/questions-contract.ts'
import { documentOf, type FleetTool, fleetTool, idField, pageFields } from './fleet-tool.ts'

const run = idField.optional().describe('Only of this run.')
const approval = idField.describe('Id of the approval.')
const comment = z.string().max(10_000).optional()

export const peopleTools: readonly FleetTool[] = [
  fleetTool({
    name: 'list_approvals',
    title: 'List approvals',
    description: 'What runs ask people to approve, newest first.',
    input: z.object({ ...pageFields, run, state: approvalStateSchema.default('pending') }),
    readOnly: true,
    endpoints: [listApprovals],
    run: async (query, { api, signal }) => documentOf(await api.call(listApprovals, { query, signal })),
  }),
  fleetTool({
    name: 'approve',
    title: 'Approve',
    description: 'Answers an approval with yes: its step succeeds. Only what a person told you to approve.',
    input: z.object({ approval, comment }),
    readOnly: false,
    endpoints: [approve],
    run: async (input, { api, signal }) =>
      documentOf(await api.call(approve, { params: { id: input.approval }, body: { comment: input.comment }, signal })),
  }),
  fleetTool({
    name: 'reject',
    title: 'Reject',
    description: 'Answers an approval with no: its step fails.',
    input: z.object({ approval, comment }),
    readOnly: false,
    endpoints: [reject],
    run: async (input, { api, signal }) =>
      documentOf(await api.call(reject, { params: { id: input.approval }, body: { comment: input.comment }, signal })),
  }),
  fleetTool({
    name: 'list_questions',
    title: 'List questions',
    description: 'What agents at work ask people, newest first.',
    input: z.object({ ...pageFields, run, state: questionStateSchema.default('pending') }),
    readOnly: true,
    endpoints: [listQuestions],
    run: async (query, { api, signal }) => documentOf(await api.call(listQuestions, { query, signal })),
  }),
  fleetTool({
    name: 'answer_question',
    title: 'Answer a question',
    description: 'Answers an agent: by the id of one of its choices, in words, or both. Only what a person told you.',
    input: z.object({
      question: idField.describe('Id of the question.'),
      choice: z.string().min(1).max(200).optional(),
      text: z.string().max(10_000).optional(),
    }),
    readOnly: false,
    endpoints: [answerQuestion],
    run: async ({ question, ...body }, { api, signal }) =>
      documentOf(await api.call(answerQuestion, { params: { id: question }, body, signal })),
  }),
]
