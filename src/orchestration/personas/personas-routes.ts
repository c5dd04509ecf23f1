import { type Route, route } from '../../foundation/platform/http/route.ts'
import type { PersonaFiles } from './persona-files.ts'
import { personaDetail, personaSummaries } from './persona-views.ts'
import { listPersonas, showPersona } from './personas-endpoints-contract.ts'

export function personaRoutes(personas: PersonaFiles): Route[] {
  return [
    route({
      ...listPersonas,
      permission: 'workflows:read',
      handle: async () => ({ items: personaSummaries(personas) }),
    }),
    route({
      ...showPersona,
      permission: 'workflows:read',
      handle: async ({ params: { name } }) => personaDetail(personas.find(name)),
    }),
  ]
}
