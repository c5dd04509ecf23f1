import { type ConfidenceFacts, type Risk, riskWeights, type Severity } from './checks-contract.ts'

/** When people are asked, by how sure those are who did and read the work, by what is at stake, and by what was learned. */
export const confidencePolicy = Object.freeze({
  /** Sure enough not to ask. */
  threshold: 0.75,
  /** Sure enough where much is at stake. */
  riskyThreshold: 0.85,
  /** More than this is much. */
  muchRisk: 0.7,
  /** Less than this is blocked, not asked about. */
  blockBelow: 0.6,
  /** From so many answers on, what was learned counts. */
  samples: 5,
  /** Nobody is asked where more than this share went well. */
  successRate: 0.9,
})

/** 0 to 1. */
export function riskOf(risks: readonly Risk[]): number {
  const sum = [...new Set(risks)].reduce((total, risk) => total + riskWeights[risk], 0)
  return Math.min(1, Math.round(sum * 1_000) / 1_000)
}

/** The mean of who told; null where nobody did. */
export function confidenceOf({ agent, reviewer }: Pick<ConfidenceFacts, 'agent' | 'reviewer'>): number | null {
  const told = [agent, reviewer].filter((share) => share !== null)
  return told.length === 0 ? null : told.reduce((sum, share) => sum + share, 0) / told.length
}

export interface Experience {
  readonly samples: number
  readonly successes: number
}

export interface ConfidenceVerdict {
  readonly level: Severity
  readonly reason: string
}

/** Whether people must be asked. Who tells nothing of being sure is not sure. */
export function judgeConfidence(facts: ConfidenceFacts, learned: Experience | null): ConfidenceVerdict {
  return judgeShares(confidenceOf(facts), riskOf(facts.risks), learned)
}

/** The same where confidence and risk are told as figures, 0 to 1. */
export function judgeShares(confidence: number | null, risk: number, learned: Experience | null): ConfidenceVerdict {
  const { samples, successRate, muchRisk, riskyThreshold, threshold, blockBelow } = confidencePolicy
  if (learned !== null && learned.samples >= samples && learned.successes / learned.samples > successRate) {
    return { level: 'ok', reason: `${learned.successes} of ${learned.samples} of this kind went well` }
  }
  const wanted = risk > muchRisk ? riskyThreshold : threshold
  if (confidence === null) return { level: 'review', reason: 'nobody says how sure they are' }
  const said = `confidence ${percent(confidence)} at risk ${percent(risk)}, ${percent(wanted)} is wanted`
  if (confidence >= wanted) return { level: 'ok', reason: said }
  return { level: confidence < blockBelow ? 'block' : 'review', reason: said }
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

/** What was learned counts for work of the same kind with the same at stake. */
export function experienceKey({ type, risks }: Pick<ConfidenceFacts, 'type' | 'risks'>): string {
  return [type, ...[...new Set(risks)].sort()].join('|')
}
