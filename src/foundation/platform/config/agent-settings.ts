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

/** What holds for every kind. */
export interface SessionRules {
  readonly permissions: ToolPermissions
  /** How long questions wait for people; null: as the policy of approvals says. */
  readonly askMs: number | null
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
}): SessionRules {
  return {
    permissions: shapePermissions(pool.permissions),
    askMs: pool.ask ?? null,
    silenceMs: pool.silence ?? null,
  }
}
