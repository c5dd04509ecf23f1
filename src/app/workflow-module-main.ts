/**
 * A process of its own for one module that defines a workflow: loads the file of its argument and sends the parent what
 * it exports. Whatever the module prints, starts or leaves open stays here; the parent ends the process.
 */
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import { isAppError } from '../foundation/kernel/errors.ts'
import { defineWorkflow, printWorkflow } from '../orchestration/workflows/index.ts'
import type { ModuleAnswer } from './workflow-modules.ts'

// `leanvibe` is the program that runs, also where the project has not installed it.
const ourselves = new URL(`../index${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'leanvibe' ? { url: ourselves, shortCircuit: true } : next(specifier, context),
})

process.send!(await answer(process.argv[2]!))

async function answer(file: string): Promise<ModuleAnswer> {
  try {
    const module = (await import(pathToFileURL(file).href)) as { readonly default?: unknown }
    if (!('default' in module)) return { failure: 'it has no default export' }
    const value = await module.default
    if (typeof value !== 'object' || value === null) return { failure: `its default export is ${describe(value)}` }
    return { text: printWorkflow(defineWorkflow(value as Parameters<typeof defineWorkflow>[0])) }
  } catch (error) {
    if (isAppError(error, 'workflow-invalid')) return { problems: error.details.problems as never }
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

function describe(value: unknown): string {
  return value === null || value === undefined ? String(value) : `a ${typeof value}`
}
