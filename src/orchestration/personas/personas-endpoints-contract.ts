import { z } from 'zod'
import { endpoint } from '../../foundation/platform/http/endpoint-contract.ts'
import { personaOrigins, personaSettingsSchema } from './personas-contract.ts'

const { description, tier, capabilities, requires, tools } = personaSettingsSchema.shape

/** A persona without its instructions; one whose file is wrong has a `problem` in place of settings. */
export const personaSummarySchema = z.object({
  name: z.string(),
  origin: z.enum(personaOrigins).nullable(),
  description: description.nullable(),
  tier: tier.unwrap().nullable(),
  capabilities: capabilities.unwrap(),
  requires: requires.unwrap(),
  /** Null: all that its pool allows. */
  tools: tools.unwrap().nullable(),
  /** What is wrong with its file, with file and line. */
  problem: z.string().nullable(),
})
export type PersonaSummary = z.infer<typeof personaSummarySchema>

export const personaDetailSchema = personaSummarySchema.extend({
  /** On the machine of the server. */
  file: z.string(),
  instructions: z.string(),
})
export type PersonaDetail = z.infer<typeof personaDetailSchema>

export const listPersonas = endpoint({
  method: 'GET',
  path: '/api/v1/personas',
  summary: 'Lists who agents can be: the personas of the project, of the data folder and of the program, by name.',
  output: z.object({ items: z.array(personaSummarySchema) }),
})

export const showPersona = endpoint({
  method: 'GET',
  path: '/api/v1/personas/:name',
  summary: 'One persona, with its instructions.',
  params: z.object({ name: z.string().min(1).max(200) }),
  output: personaDetailSchema,
})
