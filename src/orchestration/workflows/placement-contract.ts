import { mostLevel } from '../../foundation/balancing/capabilities-contract.ts'
import { type StrategyName, strategyNames } from '../../foundation/balancing/strategy-names-contract.ts'
import { z } from '../../foundation/kernel/schema.ts'
import { closed, labelField, textField } from './field-contract.ts'

/** A capability, with the least level where that matters: `review`, `review:3`. */
export const capabilityField = z
  .string()
  .regex(
    new RegExp(`^[A-Za-z0-9][A-Za-z0-9._/-]*(?::(?:[1-9]|${mostLevel}))?$`),
    `expected letters, digits and . _ / -, then perhaps a level from :1 to :${mostLevel}`,
  )
  .max(100)

const labelsField = z.record(labelField, z.string().max(63))

/** Where a step may and would rather be done. */
export const placementShape = {
  capabilities: z.array(capabilityField).optional().describe('What the agent that does it must be able to do.'),
  preferredCapabilities: z
    .array(capabilityField)
    .optional()
    .describe('What it would rather be able to do, too. No reason to wait.'),
  affinity: closed({
    labels: labelsField.optional().describe('Labels that the agent must have.'),
    preferred: labelsField.optional().describe('Labels that it would rather have.'),
    key: textField
      .optional()
      .describe(
        'Work with the same key (a conversation, a workspace) goes to the same agent, if it can. May hold ${{ }}.',
      ),
  })
    .optional()
    .describe('What draws the work to an agent.'),
  'anti-affinity': closed({
    labels: labelsField.optional().describe('The agent must have none of these labels.'),
    key: textField
      .optional()
      .describe('No two pieces of work with the same key are done by the same agent at a time. May hold ${{ }}.'),
    scope: z.enum(['agent', 'runner']).optional().describe('What must not be shared. Default agent.'),
  })
    .optional()
    .describe('What keeps the work away from an agent.'),
  region: labelField.optional().describe('The region that the agent must be in.'),
  tolerations: z.array(labelField).optional().describe('The taints of agents that it puts up with.'),
  strategy: z
    .enum(strategyNames)
    .optional()
    .describe('How to choose among the agents that can do it. Default: as the pool does.'),
  preemptible: z
    .boolean()
    .optional()
    .describe('Work of higher priority may take its place: it is then ended, and begins again later. Default false.'),
}

/** What is asked of the place of a task. What is absent is not asked for. */
export interface ResolvedPlacement {
  readonly preferredCapabilities?: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  readonly preferredLabels?: Readonly<Record<string, string>>
  readonly avoidedLabels?: Readonly<Record<string, string>>
  readonly affinityKey?: string
  readonly apart?: { readonly key: string; readonly scope: 'agent' | 'runner' }
  readonly region?: string
  readonly tolerations?: readonly string[]
  readonly strategy?: StrategyName
  readonly preemptible?: true
}
