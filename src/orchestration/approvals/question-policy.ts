import type { ConfidenceFacts } from '../gates/checks-contract.ts'
import {
  type ConfidenceVerdict,
  type Experience,
  experienceKey,
  judgeConfidence,
} from '../gates/confidence-contract.ts'

export interface PolicyVerdict extends ConfidenceVerdict {
  /** Under what it is learned. */
  readonly key: string
  readonly asks: boolean
}

/** The usual policy: whether people are asked about work. What is too unsure to go on by itself is for people, too. */
export function judgeQuestion(facts: ConfidenceFacts, learned: ReadonlyMap<string, Experience>): PolicyVerdict {
  const key = experienceKey(facts)
  const verdict = judgeConfidence(facts, learned.get(key) ?? null)
  return { ...verdict, key, asks: verdict.level !== 'ok' }
}
