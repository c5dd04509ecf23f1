import type { Config } from '../foundation/platform/config/config.ts'
import { createPersonaFiles, type PersonaFiles } from '../orchestration/personas/persona-files.ts'
import { personaDetail, personaSummaries } from '../orchestration/personas/persona-views.ts'
import type { PersonaDetail, PersonaSummary } from '../orchestration/personas/personas-endpoints-contract.ts'
import { builtInPersonas } from './built-ins.ts'
import { dataLayoutOf } from './data-layout.ts'

type PersonaPlaces = Pick<Config, 'personaFolder' | 'dataFolder'>

/** The personas of a project, before those of the data folder, before those that come with the program. */
export function openPersonas({ personaFolder, dataFolder }: PersonaPlaces): PersonaFiles {
  return createPersonaFiles([
    [personaFolder, 'project'],
    [dataLayoutOf(dataFolder).personas, 'data'],
    [builtInPersonas, 'built-in'],
  ])
}

export function summariesOfPersonas(places: PersonaPlaces): readonly PersonaSummary[] {
  return personaSummaries(openPersonas(places))
}

/** Throws `persona-unknown`, `persona-invalid`. */
export function detailOfPersona(places: PersonaPlaces, name: string): PersonaDetail {
  return personaDetail(openPersonas(places).find(name))
}

/** Those that come with the program, whatever a project has. */
export function packagePersonas(): PersonaFiles {
  return createPersonaFiles([[builtInPersonas, 'built-in']])
}
