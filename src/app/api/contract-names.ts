import * as contract from '../../contract.ts'
import { z } from '../../foundation/kernel/schema.ts'

/** The names that schemas and endpoints have in src/contract.ts: `runSchema` is Run, the endpoint `startRun` is startRun. */
export function namesOfContracts() {
  const schemas = new Map<z.ZodType, string>()
  const operations = new Map<string, string>()
  for (const [name, value] of Object.entries(contract as Record<string, unknown>)) {
    if (value instanceof z.ZodType) schemas.set(value, upperFirst(name.replace(/Schema$/, '')))
    else if (isEndpoint(value)) operations.set(`${value.method} ${value.path}`, name.replace(/Endpoint$/, ''))
  }
  return { schemas, operations }
}

function isEndpoint(value: unknown): value is { readonly method: string; readonly path: string } {
  return typeof value === 'object' && value !== null && 'method' in value && 'path' in value
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
