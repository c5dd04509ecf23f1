import type { StateTable } from '../../foundation/kernel/state-table.ts'

/** `withdrawn`: nobody waits for the answer any more. */
export const approvalStateNames = ['pending', 'approved', 'rejected', 'expired', 'withdrawn'] as const
export type ApprovalState = (typeof approvalStateNames)[number]

/** `vote`: one more has approved, and more are needed. */
export type ApprovalEvent = 'vote' | 'escalate' | 'approve' | 'reject' | 'expire' | 'withdraw'

const ended = { vote: null, escalate: null, approve: null, reject: null, expire: null, withdraw: null } as const

export const approvalStates: StateTable<ApprovalState, ApprovalEvent> = {
  pending: {
    vote: 'pending',
    escalate: 'pending',
    approve: 'approved',
    reject: 'rejected',
    expire: 'expired',
    withdraw: 'withdrawn',
  },
  approved: ended,
  rejected: ended,
  expired: ended,
  withdrawn: ended,
}
