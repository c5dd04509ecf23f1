import type { Principal } from '../../foundation/platform/http/principal.ts'
import { covers } from './roles-contract.ts'

/** Nobody gives away more than he has: whether all that `patterns` allow is allowed to the principal. */
export function mayGrant({ permissions, within = [] }: Principal, patterns: readonly string[]): boolean {
  return [permissions, ...within].every((list) => patterns.every((pattern) => covers(list, pattern)))
}

/** Of a list of patterns, the one that is too much; for the message. */
export function firstBeyond({ permissions, within = [] }: Principal, patterns: readonly string[]): string | null {
  return patterns.find((pattern) => ![permissions, ...within].every((list) => covers(list, pattern))) ?? null
}
