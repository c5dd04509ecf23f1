import { isAppError } from '../../foundation/kernel/errors.ts'
import type { Database } from '../../foundation/platform/database/database.ts'
import { type Route, route } from '../../foundation/platform/http/route.ts'
import { parseWorkflow } from './parse-workflow.ts'
import type { Problem } from './problem.ts'
import type { WorkflowDefinition } from './workflow-contract.ts'
import { countSteps, type FoundWorkflow, toDetail, toSummary } from './workflow-details.ts'
import { listWorkflows, showWorkflow, validateWorkflow } from './workflow-endpoints-contract.ts'
import { workflowErrors } from './workflow-errors.ts'
import { resolveInputs } from './workflow-inputs.ts'
import { newestVersions } from './workflow-store.ts'

export interface DefinitionFile {
  readonly name: string
  readonly origin: 'built-in' | 'project'
  readonly file: string
  readonly text: string
}

export interface WorkflowRoutesOptions {
  readonly database: Database
  readonly files: { list(): Promise<readonly DefinitionFile[]>; find(name: string): Promise<DefinitionFile | null> }
}

export function workflowRoutes({ database, files }: WorkflowRoutesOptions): Route[] {
  return [
    route({
      ...listWorkflows,
      permission: 'workflows:read',
      handle: async ({ principal }) => {
        const { tenant } = principal
        const stored = await database.forTenant(tenant).read((tx) => newestVersions(tx, tenant, null))
        const versions = new Map(stored.map((row) => [row.name, row]))
        const found = new Map<string, FoundWorkflow>(
          stored.map((row) => [row.name, { name: row.name, origin: 'stored', text: row.source, file: row.name }]),
        )
        for (const file of await files.list()) found.set(file.name, file)
        const items = [...found.values()].map((item) => toSummary(item, versions.get(item.name)?.version ?? null))
        return { items: items.sort((a, b) => (a.name < b.name ? -1 : 1)) }
      },
    }),
    route({
      ...showWorkflow,
      permission: 'workflows:read',
      handle: async ({ params, principal }) => {
        const { tenant } = principal
        const [stored] = await database.forTenant(tenant).read((tx) => newestVersions(tx, tenant, params.name))
        const file = await files.find(params.name)
        if (file === null && stored === undefined)
          throw workflowErrors['workflow-not-found'](`there is no workflow called ${params.name}`)
        const found: FoundWorkflow = file ?? {
          name: params.name,
          origin: 'stored',
          text: stored!.source,
          file: params.name,
        }
        return toDetail(found, stored?.version ?? null)
      },
    }),
    route({
      ...validateWorkflow,
      permission: 'workflows:read',
      handle: async ({ body }) => {
        const source = body.source ?? (await sourceOf(files, body.workflow))
        return validate(source.text, source.fileName, body.inputs)
      },
    }),
  ]
}

async function sourceOf(files: WorkflowRoutesOptions['files'], name: string | undefined) {
  const file = name === undefined ? null : await files.find(name)
  if (file === null)
    throw workflowErrors['workflow-not-found'](`there is no workflow called ${name ?? '(none was named)'}`)
  return { text: file.text, fileName: file.file }
}

function validate(text: string, fileName: string, inputs: Parameters<typeof resolveInputs>[1] | undefined) {
  try {
    const { definition, warnings } = parseWorkflow(text, fileName)
    const problems = inputs === undefined ? [] : inputProblems(definition, fileName, inputs)
    return {
      valid: problems.length === 0,
      name: definition.name,
      steps: countSteps(definition),
      problems,
      warnings: [...warnings],
    }
  } catch (error) {
    if (!isAppError(error, 'workflow-invalid')) throw error
    return { valid: false, name: null, steps: 0, problems: error.details.problems as Problem[], warnings: [] }
  }
}

function inputProblems(
  definition: WorkflowDefinition,
  file: string,
  inputs: Parameters<typeof resolveInputs>[1],
): Problem[] {
  try {
    resolveInputs(definition, inputs)
    return []
  } catch (error) {
    if (!isAppError(error, 'workflow-inputs-invalid')) throw error
    return [
      { file, line: null, column: null, path: 'inputs', message: error.message, expected: null },
    ] as unknown as Problem[]
  }
}
