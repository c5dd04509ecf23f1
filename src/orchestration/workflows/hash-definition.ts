import { createHash } from 'node:crypto'
import type { WorkflowDefinition } from './workflow-contract.ts'

/**
 * A content hash (SHA-256, hexadecimal): the version of a definition. The order of keys counts for nothing but the order
 * of steps, which decides what starts first among equals.
 */
export function hashDefinition(definition: WorkflowDefinition): string {
  const order = [Object.keys(definition.steps), Object.keys(definition.finally)]
  return createHash('sha256')
    .update(canonical([definition, order]))
    .digest('hex')
}

/** JSON with the keys of every map sorted, and what is undefined left out. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${sorted.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`
}
