import type { ConfidenceFacts } from '../gates/checks-contract.ts'

/** Others who are asked as well, when nobody has answered. */
export interface EscalationLevel {
  /** Milliseconds after the question; null: at the deadline. */
  readonly afterMs: number | null
  /** Users, roles or groups that may answer from then on. */
  readonly to: readonly string[]
}

/** What the answer to an approval takes, beside who may give it. */
export interface ApprovalRules {
  /** How many people must approve. One who rejects is enough to reject. */
  readonly count: number
  readonly requesterMayApprove: boolean
  /** Milliseconds from the question, or from an escalation at the deadline; null: it waits as long as it takes. */
  readonly deadlineMs: number | null
  /** What happens at the deadline: an answer, the id of a choice, or the next level of `escalate` (and without one `reject`). */
  readonly atDeadline: string
  readonly escalate: readonly EscalationLevel[]
  /** Answers on offer; none: it is a yes or a no. */
  readonly choices: readonly { readonly id: string; readonly label: string }[]
  /** Whether an answer in free words is one. */
  readonly freeText: boolean
  /** Where it is told how sure those are who did the work, the policy decides whether people are asked. */
  readonly confidence: ConfidenceFacts | null
}

export const plainRules: ApprovalRules = Object.freeze({
  count: 1,
  requesterMayApprove: true,
  deadlineMs: null,
  atDeadline: 'reject',
  escalate: [],
  choices: [],
  freeText: false,
  confidence: null,
})

/** Words that no choice may be called by. */
export const decisionWords = ['approve', 'reject', 'escalate'] as const
