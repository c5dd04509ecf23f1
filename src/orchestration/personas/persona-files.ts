import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parsePersona } from './parse-persona.ts'
import { type Persona, type PersonaOrigin, personaLimits, personaNameSchema } from './personas-contract.ts'
import { personaErrors } from './personas-errors.ts'

/** Where personas are found. Reading is done at once: they are needed within transactions, and files are small. */
export interface PersonaFiles {
  /** All that can be named, by name; null in place of one whose file is wrong, with what is wrong. */
  list(): readonly (Persona | { readonly name: string; readonly problem: string })[]
  /** Throws `persona-unknown`, `persona-invalid`. */
  find(name: string): Persona
}

export type PersonaFolder = readonly [folder: string, origin: PersonaOrigin]

/** The personas of several folders: of those with one name that of the first folder counts. */
export function createPersonaFiles(given: readonly PersonaFolder[]): PersonaFiles {
  const known = new Map<string, { readonly stamp: string; readonly persona: Persona }>()
  // In a checkout of the program itself the project is the package.
  const folders = given.filter(([folder], index) => !given.slice(index + 1).some(([later]) => later === folder))

  function read(file: string, name: string, origin: Persona['origin']): Persona | null {
    const stat = statSync(file, { throwIfNoEntry: false })
    if (stat === undefined || !stat.isFile()) return null
    if (stat.size > personaLimits.fileBytes)
      throw personaErrors['persona-invalid'](`${file}:1: it has more than ${personaLimits.fileBytes} bytes`)
    const stamp = `${stat.mtimeMs} ${stat.ctimeMs} ${stat.size} ${stat.ino}`
    const before = known.get(file)
    if (before?.stamp === stamp) return before.persona
    const persona = { name, origin, file, ...parsePersona(readFileSync(file, 'utf8'), file) }
    // What was written within this moment may be written again within it: clocks of files are coarse.
    if (Date.now() - stat.mtimeMs > 1_000) known.set(file, { stamp, persona })
    return persona
  }

  function find(name: string): Persona {
    // Before it becomes part of a path.
    if (personaNameSchema.safeParse(name).success) {
      for (const [folder, origin] of folders) {
        const persona = read(join(folder, `${name}.md`), name, origin)
        if (persona !== null) return persona
      }
    }
    const shown = JSON.stringify(name.slice(0, 80))
    throw personaErrors['persona-unknown'](`there is no persona ${shown}; there are ${names().join(', ')}`)
  }

  function names(): readonly string[] {
    const all = folders.flatMap(([folder]) => namesIn(folder))
    return [...new Set(all)].sort()
  }

  return {
    find,
    list: () =>
      names().map((name) => {
        try {
          return find(name)
        } catch (error) {
          if (!(error instanceof Error)) throw error
          return { name, problem: error.message }
        }
      }),
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith('.md'))
      .map((file) => file.slice(0, -'.md'.length))
      .filter((name) => personaNameSchema.safeParse(name).success)
  } catch (error) {
    // A project need not have the folder.
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    throw error
  }
}
