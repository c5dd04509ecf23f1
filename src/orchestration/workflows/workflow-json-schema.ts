import { z } from '../../foundation/kernel/schema.ts'
import { workflowSchema } from './workflow-contract.ts'

type JsonSchema = { [key: string]: unknown }

/** The published JSON Schema of workflow files, for editors: `# yaml-language-server: $schema=...`. */
export function workflowJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(workflowSchema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as JsonSchema
  return withoutDefaults({
    ...schema,
    title: 'LeanVibe workflow',
    description: 'A graph of steps that agents, commands and people work through. Guide: docs/guides/workflows.md',
  }) as JsonSchema
}

/** The generated file, byte for byte. */
export function printWorkflowJsonSchema(): string {
  return `${JSON.stringify(workflowJsonSchema(), null, 2)}\n`
}

/** Defaults that parsing adds (`kind`, empty lists) would be inserted by editors as if they had to be written. */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key, inner]) => !(key === 'default' && !isSchema(inner)))
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutDefaults(inner)]))
}

/** A property that is named `default` has a schema; the keyword has a plain value. */
function isSchema(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
}
