import { z } from '../../foundation/kernel/schema.ts'

/** Checks that the product knows how to do: it finds out which commands of the repository do them. */
export const builtInChecks = ['tests', 'coverage', 'lint', 'types', 'security', 'size', 'confidence'] as const
export type BuiltInCheck = (typeof builtInChecks)[number]

/** Checks that are done by commands of the repository. */
export const commandChecks = [
  'tests',
  'coverage',
  'lint',
  'types',
  'security',
] as const satisfies readonly BuiltInCheck[]
export type CommandCheck = (typeof commandChecks)[number]

/** What puts more at stake, and how much: the sum counts up to 1. */
export const riskWeights = Object.freeze({
  architecture: 0.3,
  security: 0.4,
  performance: 0.2,
  customer_facing: 0.3,
  critical_path: 0.4,
})
export type Risk = keyof typeof riskWeights
export const riskSchema = z.enum(['architecture', 'security', 'performance', 'customer_facing', 'critical_path'])

/** What holds where a check does not say. */
export const checkDefaults = Object.freeze({
  coverage: Object.freeze({
    /** Percent from which coverage passes. */
    pass: 85,
    /** Percent under which it blocks; between the two a person decides. */
    block: 60,
  }),
  security: Object.freeze({
    /** Findings above which it blocks; fewer are for a person to decide. */
    block: 5,
  }),
  size: Object.freeze({
    /** Lines added and removed, generated files left out. */
    lines: 500,
  }),
})

export type Severity = 'ok' | 'review' | 'block'
export type OnFail = 'block' | 'review' | 'allow'

/** How sure those are who did the work and who read it, and what is at stake; null: not told. */
export interface ConfidenceFacts {
  readonly agent: number | null
  readonly reviewer: number | null
  readonly risks: readonly Risk[]
  /** What kind of work it is: what was learned counts for work of the same kind. */
  readonly type: string
}
