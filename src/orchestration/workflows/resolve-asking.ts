import type { z } from '../../foundation/kernel/schema.ts'
import { parseDuration } from '../../foundation/kernel/units.ts'
import { type ApprovalRules, plainRules } from '../approvals/approval-rules-contract.ts'
import type { Asking, questionsOfStepSchema } from './asking-contract.ts'
import { type EvaluationContext, evaluateText } from './expressions.ts'
import type { ResolvedApproval, StepQuestions } from './task-contract.ts'

type Resolved = Pick<ResolvedApproval, 'who' | 'deadlineMs' | 'default'> & { readonly rules: ApprovalRules }

/** Who is asked, how many must agree, and what happens if nobody answers, with its values filled in. */
export function resolveAsking(asking: Asking, type: string, context: EvaluationContext): Resolved {
  const { who = [], deadline, confidence } = asking
  const deadlineMs = deadline === undefined ? null : parseDuration(deadline)
  const share = (text: string | undefined) => (text === undefined ? null : shareOf(evaluateText(text, context)))
  const rules: ApprovalRules = {
    count: asking.count ?? plainRules.count,
    requesterMayApprove: asking.requesterMayApprove ?? plainRules.requesterMayApprove,
    deadlineMs,
    atDeadline: asking.default ?? plainRules.atDeadline,
    escalate: (asking.escalate ?? []).map(({ after, to }) => ({
      afterMs: after === undefined ? null : parseDuration(after),
      to,
    })),
    choices: asking.choices ?? [],
    freeText: asking.freeText ?? false,
    confidence:
      confidence === undefined
        ? null
        : {
            agent: share(confidence.agent),
            reviewer: share(confidence.reviewer),
            risks: confidence.risks ?? [],
            type: confidence.type ?? type,
          },
  }
  return { who, deadlineMs, default: rules.atDeadline === 'approve' ? 'approve' : 'reject', rules }
}

/** What a step says of the questions of its agent. */
export function resolveQuestions(asked: z.output<typeof questionsOfStepSchema>): StepQuestions {
  const { who, count, deadline, default: atDeadline, escalate } = asked
  const levels = escalate?.map(({ after, to }) => ({ afterMs: after === undefined ? null : parseDuration(after), to }))
  // A level without a time is one of the deadline.
  const implied = levels?.some(({ afterMs }) => afterMs === null) ? ('escalate' as const) : undefined
  const then = atDeadline ?? implied
  return {
    ...(who === undefined ? {} : { who }),
    ...(count === undefined ? {} : { count }),
    ...(deadline === undefined ? {} : { deadlineMs: parseDuration(deadline) }),
    ...(then === undefined ? {} : { atDeadline: then }),
    ...(levels === undefined ? {} : { escalate: levels }),
  }
}

/** 0 to 1; null for what is no such number, as where a step gave none. */
export function shareOf(text: string): number | null {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  return value >= 0 && value <= 1 ? value : null
}
