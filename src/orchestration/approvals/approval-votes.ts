import type { ApprovalRules } from './approval-rules-contract.ts'

/** Somebody who may be asked: by id, and by the roles and groups he has. */
export interface Answerer {
  readonly by: string
  readonly roles?: readonly string[]
}

export interface Vote {
  readonly by: string
  readonly decision: 'approve' | 'reject'
}

/** Where votes have led: one who rejects is enough, and so are `count` who approve. */
export function outcomeOf(
  votes: readonly Vote[],
  { count }: Pick<ApprovalRules, 'count'>,
): 'approve' | 'reject' | null {
  if (votes.some(({ decision }) => decision === 'reject')) return 'reject'
  return new Set(votes.map(({ by }) => by)).size >= count ? 'approve' : null
}

/** `ann`, or to say which of them is meant `user:ann`, `role:admin`, `group:leads`. An empty list means everybody. */
export function isNamed(who: readonly string[], { by, roles = [] }: Answerer): boolean {
  if (who.length === 0) return true
  const names = new Set([by, `user:${by}`, ...roles.flatMap((name) => [name, `role:${name}`, `group:${name}`])])
  return who.some((name) => names.has(name))
}
