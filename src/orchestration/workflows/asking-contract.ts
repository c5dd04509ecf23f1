import { z } from '../../foundation/kernel/schema.ts'
import { riskSchema } from '../gates/checks-contract.ts'
import { closed, durationField, labelField, textField } from './field-contract.ts'

const peopleField = z.array(z.string().min(1).max(320)).min(1).max(100)

const levelSchema = closed({
  after: durationField.optional().describe('How long after the question. Default: at the deadline.'),
  to: peopleField.describe('Who may answer from then on, too.'),
})

/** Who is asked, how many must agree, by when, and what happens if nobody answers. */
export const askingShape = {
  who: peopleField
    .optional()
    .describe('Users, roles or groups that may decide: ann, role:admin, group:leads. Default: whoever may approve.'),
  count: z.int().min(1).max(100).optional().describe('How many must approve; one who rejects is enough. Default 1.'),
  requesterMayApprove: z.boolean().optional().describe('false: whoever started the run cannot answer. Default true.'),
  deadline: durationField.optional().describe('Default: it waits as long as it takes.'),
  default: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe(
      'What happens at the deadline: approve, reject, escalate (the next level, and reject after the last) or the id of a choice. Default reject.',
    ),
  escalate: z
    .union([levelSchema.transform((level) => [level]), z.array(levelSchema).min(1).max(20)])
    .optional()
    .describe('Who else is asked, level by level, while nobody has answered.'),
}

/** The same about what agents ask while they work. */
export const questionsOfStepSchema = closed({
  who: askingShape.who,
  count: z
    .int()
    .min(1)
    .max(100)
    .optional()
    .describe(
      'How many must allow what is asked for, or take the same choice; one who refuses is enough. Answers in words count at once. Default 1.',
    ),
  deadline: durationField.optional().describe('Default: that of the pool.'),
  default: z
    .enum(['approve', 'reject', 'escalate'])
    .optional()
    .describe('What happens at the deadline. Default: as the pool says, else the choice of the agent.'),
  escalate: askingShape.escalate,
}).describe(
  'Who answers what the agent asks, and what happens while nobody does. Goes before the `questions` of its pool.',
)

/** Where it is given, the policy decides whether anybody is asked. */
export const askingConfidenceSchema = closed({
  agent: textField.optional().describe('How sure the one who did the work is, 0 to 1. May hold ${{ }}.'),
  reviewer: textField.optional().describe('How sure the one who read it is, 0 to 1. May hold ${{ }}.'),
  risks: z.array(riskSchema).optional().describe('What is at stake.'),
  type: labelField.optional().describe('What kind of work it is. Default: the workflow and its step.'),
})

export const choiceSchema = z.union([
  labelField.transform((id) => ({ id, label: id })),
  closed({ id: labelField, label: z.string().min(1).max(200) }),
])

/** What stands under `approval` and under `gate` about people. */
export interface Asking {
  readonly who?: readonly string[] | undefined
  readonly count?: number | undefined
  readonly requesterMayApprove?: boolean | undefined
  readonly deadline?: string | undefined
  readonly default?: string | undefined
  readonly escalate?: readonly { readonly after?: string | undefined; readonly to: readonly string[] }[] | undefined
  readonly choices?: readonly { readonly id: string; readonly label: string }[] | undefined
  readonly freeText?: boolean | undefined
  readonly confidence?: z.output<typeof askingConfidenceSchema> | undefined
}
