import type { ApprovalRules } from './approval-rules-contract.ts'

/** By what else people may be named than by their id. */
export interface KnownAs {
  /** Such as an e-mail address. */
  readonly names?: readonly string[]
  readonly roles?: readonly string[]
  readonly groups?: readonly string[]
}

/** Somebody who may be asked. */
export interface Answerer extends KnownAs {
  readonly by: string
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
export function isNamed(who: readonly string[], { by, names = [], roles = [], groups = [] }: Answerer): boolean {
  if (who.length === 0) return true
  const under = (kind: string, of: readonly string[]) => of.flatMap((name) => [name, `${kind}:${name}`])
  const known = new Set([...under('user', [by, ...names]), ...under('role', roles), ...under('group', groups)])
  return who.some((name) => known.has(name))
}
