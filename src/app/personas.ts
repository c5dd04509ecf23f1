import type { Config } from '../foundation/platform/config/config.ts'
import { createPersonaFiles, type PersonaFiles } from '../orchestration/personas/persona-files.ts'
import { builtInPersonas } from './built-ins.ts'

/** The personas of a project, before those that come with the program. */
export function openPersonas(config: Pick<Config, 'personaFolder'>): PersonaFiles {
  return createPersonaFiles(config.personaFolder, builtInPersonas)
}
