import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { SourceText } from '../app/definitions.ts'
import { isAppError } from '../foundation/kernel/errors.ts'
import type { Config } from '../foundation/platform/config/config.ts'
import type { WorkflowSummary } from '../orchestration/workflows/workflow-endpoints-contract.ts'
import { cliErrors } from './cli-errors.ts'
import { usageError } from './failure.ts'

/** What is to run: text that this call brings along, or the name of something the platform has. */
export type Wanted =
  | { readonly source: SourceText; readonly origin: 'file' | 'module' | 'definition' }
  | { readonly name: string }

export interface SourcePlace {
  readonly cwd: string
  readonly config: Pick<Config, 'workflowFolder'>
  readonly signal?: AbortSignal
}

/**
 * A word with a slash, or with the ending of YAML, TypeScript or JavaScript, is a file; a name may be one of the
 * project's files, or else known to the platform. Modules are loaded here: a server runs no code of projects.
 */
export async function findWanted(word: string, place: SourcePlace): Promise<Wanted> {
  if (/[/\\]|^\.{1,2}$|\.(ya?ml|[cm]?[jt]s)$/.test(word)) {
    return { source: await readSource(resolve(place.cwd, word), word, place), origin: 'file' }
  }
  const [{ createDefinitionFiles }, { listWorkflowModules }] = await Promise.all([
    import('../app/built-ins.ts'),
    import('../app/workflow-modules.ts'),
  ])
  const file = await createDefinitionFiles(place.config.workflowFolder).find(word)
  if (file !== null && file.origin === 'project') {
    return { source: { text: file.text, fileName: file.file }, origin: 'definition' }
  }
  const module = (await listWorkflowModules(place.config.workflowFolder)).get(word)
  return module === undefined ? { name: word } : { source: await readSource(module, module, place), origin: 'module' }
}

/** The text behind a word, also where it is a built-in; null where only the platform can know it. */
export async function findSource(word: string, place: SourcePlace): Promise<SourceText | null> {
  const wanted = await findWanted(word, place)
  if ('source' in wanted) return wanted.source
  const { createDefinitionFiles } = await import('../app/built-ins.ts')
  const file = await createDefinitionFiles(place.config.workflowFolder).find(word)
  return file === null ? null : { text: file.text, fileName: file.file }
}

/** The workflows that modules of the project export. One that cannot be loaded is listed, too, so that its author finds it. */
export async function listModules({ config, signal }: SourcePlace): Promise<readonly WorkflowSummary[]> {
  const [{ listWorkflowModules, loadWorkflowModule }, { summariseSource }] = await Promise.all([
    import('../app/workflow-modules.ts'),
    import('../app/definitions.ts'),
  ])
  const found: WorkflowSummary[] = []
  for (const [name, file] of await listWorkflowModules(config.workflowFolder)) {
    try {
      found.push(summariseSource(name, await loadWorkflowModule(file, file, signal)))
    } catch (error) {
      if (!isAppError(error)) throw error
      const description = `cannot be loaded: see leanvibe workflows validate ${name}`
      found.push({ name, description, origin: 'project', version: null, steps: 0 })
    }
  }
  return found
}

async function readSource(path: string, shown: string, { signal }: SourcePlace): Promise<SourceText> {
  const { isModuleName, loadWorkflowModule } = await import('../app/workflow-modules.ts')
  try {
    if (isModuleName(path)) return await loadWorkflowModule(path, shown, signal)
    return { text: await readFile(path, 'utf8'), fileName: shown }
  } catch (error) {
    if (!(error instanceof Error) || !('errno' in error && 'code' in error)) throw error
    if (error.code === 'ENOENT') throw cliErrors['workflow-file-not-found'](`there is no file ${shown}`)
    const why = error.code === 'EISDIR' ? 'it is a folder' : error.message
    throw usageError(`cannot read the workflow ${shown}: ${why}`)
  }
}
