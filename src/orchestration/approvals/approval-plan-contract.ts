import type { ApprovalRules } from './approval-rules-contract.ts'

/** What is known of an open approval. */
export interface ApprovalStanding {
  readonly rules: Pick<ApprovalRules, 'deadlineMs' | 'atDeadline' | 'escalate' | 'choices'>
  readonly createdAt: Date
  readonly deadlineAt: Date | null
  /** How many levels of `escalate` were taken. */
  readonly level: number
}

export type ApprovalMove =
  | { readonly kind: 'wait'; readonly until: Date | null }
  /** Others are asked as well; a deadline that has passed begins again. */
  | {
      readonly kind: 'escalate'
      readonly to: readonly string[]
      readonly level: number
      readonly deadlineAt: Date | null
    }
  | { readonly kind: 'expire'; readonly decision: 'approve' | 'reject'; readonly choice: string | null }

/** What time does to an approval, or to a question of an agent, that nobody has answered. Levels are taken one after another, whatever their times. */
export function nextMove(standing: ApprovalStanding, now: Date): ApprovalMove {
  const { rules, deadlineAt, level } = standing
  const next = rules.escalate[level]
  const timed = next === undefined || next.afterMs === null ? null : later(standing.createdAt, next.afterMs)
  const isOver = deadlineAt !== null && deadlineAt <= now
  if (next !== undefined && timed !== null && timed <= now && !isOver) {
    return { kind: 'escalate', to: next.to, level: level + 1, deadlineAt }
  }
  if (!isOver) return { kind: 'wait', until: earlier(timed, deadlineAt) }
  if (rules.atDeadline === 'escalate' && next !== undefined) {
    const again = rules.deadlineMs === null ? null : later(now, rules.deadlineMs)
    return { kind: 'escalate', to: next.to, level: level + 1, deadlineAt: again }
  }
  if (rules.choices.some(({ id }) => id === rules.atDeadline)) {
    return { kind: 'expire', decision: 'approve', choice: rules.atDeadline }
  }
  return { kind: 'expire', decision: rules.atDeadline === 'approve' ? 'approve' : 'reject', choice: null }
}

/** Who may answer when others are asked as well. Where everybody may there is nobody to add. */
export function widened(who: readonly string[], to: readonly string[]): readonly string[] {
  return who.length === 0 ? [] : [...new Set([...who, ...to])]
}

function later(at: Date, ms: number): Date {
  return new Date(at.getTime() + ms)
}

function earlier(one: Date | null, other: Date | null): Date | null {
  if (one === null || other === null) return one ?? other
  return one < other ? one : other
}
