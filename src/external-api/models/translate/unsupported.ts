import { modelErrors } from '../models-errors.ts'
import type { Fields } from '../wire/fields.ts'

/** What is asked for has no counterpart: it is refused by name, never left out in silence. */
export function unsupported(what: string): Error {
  return modelErrors['model-dialect-unsupported'](`${what} has no counterpart in the dialect of this model's provider`)
}

/** Refuses every field that is neither translated nor harmless. */
export function refuseOthers(body: Fields, known: ReadonlySet<string>): void {
  for (const [name, value] of Object.entries(body)) {
    if (value !== undefined && value !== null && !known.has(name)) throw unsupported(name)
  }
}
