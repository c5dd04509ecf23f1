import { z } from 'zod'
import { modelTiers } from '../../foundation/kernel/model-tier.ts'

/** Names of personas are names of files. */
export const personaNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/, 'expected lower-case letters and digits, joined by -')
  .max(63)

const capability = z
  .string()
  .regex(/^[A-Za-z0-9][\w./-]{0,99}(?::(?:[1-9]|10))?$/, 'expected a capability such as review or review:3')

/** What tools do, in the words of the Agent Client Protocol. */
export const personaTools = [
  ...(['read', 'search', 'think', 'edit', 'move', 'delete', 'execute', 'fetch', 'switch_mode', 'other'] as const),
] as const

/** What stands between the two lines of `---` at the top of a persona's file. */
export const personaSettingsSchema = z.strictObject({
  description: z.string().min(1).max(300),
  /** The tier of model that it gets at the depth `standard`; deeper work gets a higher one. */
  tier: z.enum(modelTiers).default('standard'),
  /** What an agent that does its work would best be able to do. No reason to wait. */
  capabilities: z.array(capability).max(20).default([]),
  /** What such an agent must be able to do. */
  requires: z.array(capability).max(20).default([]),
  /** The kinds of tools that it keeps to. Default: all that its pool allows. */
  tools: z.array(z.enum(personaTools)).min(1).optional(),
})
export type PersonaSettings = z.output<typeof personaSettingsSchema>

/** Where personas are: of several with one name the first counts. */
export const personaOrigins = ['project', 'data', 'built-in'] as const
export type PersonaOrigin = (typeof personaOrigins)[number]

/** A persona as its file says it. */
export interface Persona extends PersonaSettings {
  readonly name: string
  readonly origin: PersonaOrigin
  /** Absolute path. */
  readonly file: string
  /** What it is told before its task. */
  readonly instructions: string
}

/** Refused beyond. */
export const personaLimits = Object.freeze({
  /** Bytes of a file. */
  fileBytes: 65_536,
})
