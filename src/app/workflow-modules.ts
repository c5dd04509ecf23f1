import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineErrors } from '../foundation/kernel/errors.ts'
import { askChild } from '../foundation/platform/processes/ask-child.ts'
import { formatProblem, type Problem } from '../orchestration/workflows/problem.ts'
import { workflowErrors } from '../orchestration/workflows/workflow-errors.ts'
import type { SourceText } from './definitions.ts'

const moduleErrors = defineErrors({
  'workflow-module-failed': {
    kind: 'input',
    retry: 'never',
    when: 'a workflow in TypeScript or JavaScript cannot be loaded',
    next: 'correct the file; its default export is the workflow: `export default defineWorkflow({ ... })`',
  },
})

/** What the process that loads a module answers. */
export type ModuleAnswer =
  | { readonly text: string }
  | { readonly problems: readonly Problem[] }
  | { readonly failure: string }

const moduleName = /^(.+)\.[cm]?[jt]s$/
const main = new URL(`./workflow-module-main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)

export function isModuleName(name: string): boolean {
  return moduleName.test(name)
}

/**
 * Files `NAME.ts` (or `.mts`, `.js`, `.mjs`) of a folder of workflows that have a default export, by the name they are
 * started by. What lies beside them and only helps is none.
 */
export async function listWorkflowModules(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
    throw error
  })
  const found = new Map<string, string>()
  for (const file of names.sort()) {
    const name = /^([a-z0-9][a-z0-9_-]*)\.m?[jt]s$/.exec(file)?.[1]
    if (name === undefined || found.has(name)) continue
    const path = join(folder, file)
    if (/^export\s+default\b|\bas\s+default\b/m.test(await readFile(path, 'utf8'))) found.set(name, path)
  }
  return found
}

/**
 * The workflow that a module exports, as the text of a YAML file. The module runs in a process of its own, whose output
 * goes to standard error. Throws `workflow-module-failed`, and `workflow-invalid` with the problems in its details.
 */
export async function loadWorkflowModule(file: string, shown: string, signal?: AbortSignal): Promise<SourceText> {
  await access(file)
  const asked = await askChild(main, [file], { signal })
  const answer =
    'message' in asked ? (asked.message as ModuleAnswer) : { failure: `while it was loaded: ${asked.missing}` }
  if ('text' in answer) return { text: answer.text, fileName: shown }
  if ('problems' in answer) {
    const problems = answer.problems.map((problem) => ({ ...problem, file: shown }))
    throw workflowErrors['workflow-invalid'](problems.map(formatProblem).join('\n'), { details: { problems } })
  }
  throw moduleErrors['workflow-module-failed'](`${shown}: ${shorten(answer.failure)}`, { details: { file } })
}

/** The frames of Node itself and of this program help nobody to correct a workflow. */
function shorten(failure: string): string {
  const ours = fileURLToPath(new URL('.', import.meta.url))
  const lines = failure
    .split('\n')
    .filter((line) => !/^\s+at /.test(line) || !(/node:internal/.test(line) || line.includes(ours)))
  return lines.slice(0, 12).join('\n').trimEnd()
}
