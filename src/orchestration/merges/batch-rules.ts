import { isDeepStrictEqual } from 'node:util'
import type { ResolvedMerge } from '../workflows/task-contract.ts'

/** One that waits, and how many may be tested together where it is among them; null: as many as usual. */
export interface Waiting {
  readonly spec: ResolvedMerge
  readonly most: number | null
}

/**
 * Who of those that wait, in the order of the queue, is tested together with the first. Nobody is overtaken: the batch ends
 * before the first that does not go with it. `usual`: how many go together, the first included, of those that say nothing
 * themselves. Pure.
 */
export function fitTogether<T extends Waiting>(first: Waiting, line: readonly T[], usual: number): readonly T[] {
  const wanted = surroundingsOf(first.spec)
  const taken: T[] = []
  const roomOf = ({ spec, most }: Waiting) => Math.min(spec.batch ?? usual, most ?? Number.POSITIVE_INFINITY)
  let room = roomOf(first)
  if (isWeighed(first.spec)) return taken
  for (const each of line) {
    room = Math.min(room, roomOf(each))
    if (taken.length + 2 > room || !isDeepStrictEqual(surroundingsOf(each.spec), wanted)) break
    taken.push(each)
  }
  return taken
}

/** What became of such work before decides for each by itself. */
function isWeighed({ checks }: ResolvedMerge): boolean {
  return checks.some((check) => 'check' in check && check.check === 'confidence')
}

/** What must be the same for one run of the checks to speak for both: the checks, and everything that they see. */
function surroundingsOf(spec: ResolvedMerge): readonly unknown[] {
  const { checks, into, env, secretEnv, pool, capabilities, placement, resources } = spec
  return [checks, into, env, secretEnv, pool, capabilities.toSorted(), placement ?? null, resources]
}

/** After a batch did not pass: how many of its first are tested together next, and how many of the rest later. Pure. */
export function splitBatch(count: number): { readonly first: number; readonly rest: number } {
  const first = Math.floor(count / 2)
  return { first, rest: Math.max(1, Math.floor((count - first) / 2)) }
}
