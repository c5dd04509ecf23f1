import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { SourceText } from '../app/definitions.ts'
import type { Config } from '../foundation/platform/config/config.ts'
import { usageError } from './failure.ts'

/** What is to run: text that this call brings along, or the name of something the platform has. */
export type Wanted = { readonly source: SourceText } | { readonly name: string }

/** A word with a slash or a YAML ending is a file; a name may be one of the project's files, or else known to the platform. */
export async function findWanted(word: string, cwd: string, config: Config): Promise<Wanted> {
  if (/[/\\]|\.ya?ml$/.test(word)) return { source: await readSource(resolve(cwd, word), word) }
  const { createDefinitionFiles } = await import('../app/built-ins.ts')
  const file = await createDefinitionFiles(config.workflowFolder).find(word)
  if (file === null || file.origin === 'built-in') return { name: word }
  return { source: { text: file.text, fileName: file.file } }
}

/** The text behind a word, also where it is a built-in; null where only the platform can know it. */
export async function findSource(word: string, cwd: string, config: Config): Promise<SourceText | null> {
  const wanted = await findWanted(word, cwd, config)
  if ('source' in wanted) return wanted.source
  const { createDefinitionFiles } = await import('../app/built-ins.ts')
  const file = await createDefinitionFiles(config.workflowFolder).find(word)
  return file === null ? null : { text: file.text, fileName: file.file }
}

async function readSource(path: string, shown: string): Promise<SourceText> {
  try {
    return { text: await readFile(path, 'utf8'), fileName: shown }
  } catch (error) {
    if (!(error instanceof Error) || !('errno' in error)) throw error
    throw usageError(`cannot read the workflow ${shown}: ${error.message}`)
  }
}
