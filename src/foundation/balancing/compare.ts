import type { Candidate } from './candidate.ts'

/** Negative where `a` has the smaller share of its slots in use; equals by id, so that a choice can be explained. */
export function compareUse(a: Candidate, b: Candidate): number {
  const difference = a.used * b.slots - b.used * a.slots
  return difference !== 0 ? difference : a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}
