import type { Finding } from '../repo-checkup/result.ts'

/** At most so many places are named. */
const mostEvidence = 10

/** Makes findings of one program: their ids begin with its name. */
export function findingsUnder(name: string) {
  return (
    id: string,
    score: number,
    title: string,
    why: string,
    next: string,
    evidence: readonly string[],
  ): Finding => ({ id: `${name}/${id}`, score, title, why, next, evidence: evidence.slice(0, mostEvidence) })
}
