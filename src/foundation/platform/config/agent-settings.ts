import { z } from '../../kernel/schema.ts'
import type { A2aSettings } from './a2a-settings.ts'
import { type PermissionsFile, shapePermissions, type ToolPermissions } from './agent-kinds.ts'
import { durationSchema } from './config-units.ts'
import type { OwnAgentSettings } from './own-agents.ts'
import type { McpSettings } from './tool-settings.ts'

/** Settings of agents that speak the Agent Client Protocol over standard input and output. */
export const acpSchema = z.strictObject({
  /** A mode of the agent to switch to, such as `acceptEdits`. */
  mode: z.string().min(1).max(200).optional(),
  /** A model of the agent. */
  model: z.string().min(1).max(200).optional(),
  /** The method to sign in with, before the session begins. */
  auth: z.string().min(1).max(200).optional(),
  /** A further attempt of a task goes on with the session of the one before, where the agent can. Default false. */
  resume: z.boolean().optional(),
  /** How long it may take to come up. Default 60s. */
  start: durationSchema.optional(),
})

export interface AcpSettings {
  readonly kind: 'acp'
  readonly argv: readonly string[]
  readonly mode: string | null
  readonly model: string | null
  readonly auth: string | null
  readonly resume: boolean
  readonly startMs: number
}

/** How the agents of a pool are driven that are not plain commands. */
export type DriverSettings = AcpSettings | A2aSettings | McpSettings | OwnAgentSettings

const people = z.array(z.string().min(1).max(320)).min(1).max(100)

/** As in the approvals of workflows; the deadline is `ask` of the pool. */
export const questionsSchema = z.strictObject({
  /** Users, roles or groups that may answer: ann, role:admin, group:leads. Default: whoever may approve. */
  who: people.optional(),
  /** How many must allow it, or take the same choice; one who refuses is enough. Default 1. */
  count: z.int().min(1).max(100).optional(),
  /** Who else may, level by level, while nobody has answered; without `after` at the deadline, which then begins again. */
  escalate: z
    .array(z.strictObject({ after: durationSchema.optional(), to: people }))
    .min(1)
    .max(20)
    .optional(),
  /** At the deadline: approve, reject, or escalate. Default: the choice of the agent, which refuses where it asks for permission. */
  default: z.enum(['approve', 'reject', 'escalate']).optional(),
})

/** Who answers questions of agents, and what happens while nobody does. */
export interface QuestionSettings {
  /** Empty: whoever may approve. */
  readonly who: readonly string[]
  readonly escalate: readonly { readonly afterMs: number | null; readonly to: readonly string[] }[]
  readonly atDeadline: 'approve' | 'reject' | 'escalate' | null
  readonly count?: number
}

/** What holds for every kind. */
export interface SessionRules {
  readonly permissions: ToolPermissions
  /** How long questions wait for people; null: as the policy of approvals says. */
  readonly askMs: number | null
  /** Who answers them. Default: whoever may approve, until the deadline. */
  readonly questions?: QuestionSettings
  /** How long an agent may say nothing; null: as long as its step may take. */
  readonly silenceMs: number | null
}

export function shapeAcp(argv: readonly string[], file: z.output<typeof acpSchema> | undefined): AcpSettings {
  return {
    kind: 'acp',
    argv,
    mode: file?.mode ?? null,
    model: file?.model ?? null,
    auth: file?.auth ?? null,
    resume: file?.resume ?? false,
    startMs: file?.start ?? 60_000,
  }
}

export function shapeRules(pool: {
  readonly permissions?: PermissionsFile | undefined
  readonly ask?: number | undefined
  readonly silence?: number | undefined
  readonly questions?: z.output<typeof questionsSchema> | undefined
}): SessionRules {
  return {
    permissions: shapePermissions(pool.permissions),
    askMs: pool.ask ?? null,
    silenceMs: pool.silence ?? null,
    ...(pool.questions === undefined ? {} : { questions: shapeQuestions(pool.questions) }),
  }
}

function shapeQuestions({
  who = [],
  escalate = [],
  default: atDeadline,
  count,
}: z.output<typeof questionsSchema>): QuestionSettings {
  return {
    who,
    ...(count === undefined ? {} : { count }),
    escalate: escalate.map(({ after, to }) => ({ afterMs: after ?? null, to })),
    // A level without a time is one of the deadline.
    atDeadline: atDeadline ?? (escalate.some(({ after }) => after === undefined) ? 'escalate' : null),
  }
}
