import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'

/** The command line of the sources, as `npm start` calls it. */
export const bin = fileURLToPath(new URL('../../bin/leanvibe.js', import.meta.url))

/** The same program in few files, for the many calls of journeys. Where lines are counted it is that of the sources. */
export const program: string = await findProgram()

async function findProgram(): Promise<string> {
  const response = await fetch(new URL('/program', inject('testDatabases')))
  if (!response.ok) throw new Error(await response.text())
  return ((await response.json()) as { program?: string }).program ?? bin
}
