import type { PersonaFiles } from './persona-files.ts'
import type { Persona } from './personas-contract.ts'
import type { PersonaDetail, PersonaSummary } from './personas-endpoints-contract.ts'

export function personaSummaries(personas: Pick<PersonaFiles, 'list'>): PersonaSummary[] {
  return personas.list().map((one) => ('problem' in one ? { ...nothing, ...one } : summaryOf(one)))
}

export function personaDetail(persona: Persona): PersonaDetail {
  return { ...summaryOf(persona), file: persona.file, instructions: persona.instructions }
}

const nothing = {
  ...{ origin: null, description: null, tier: null, tools: null },
  ...{ capabilities: [] as string[], requires: [] as string[] },
}

function summaryOf({ name, origin, description, tier, capabilities, requires, tools }: Persona): PersonaSummary {
  return { name, origin, description, tier, capabilities, requires, tools: tools ?? null, problem: null }
}
