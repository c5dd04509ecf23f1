import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'
import { fitsType } from './check-definition.ts'
import { didYouMean } from './did-you-mean.ts'
import type { WorkflowDefinition, WorkflowInput } from './workflow-contract.ts'
import { workflowErrors } from './workflow-errors.ts'

/**
 * The inputs of a run: what was given, checked, with the defaults filled in; an optional input that is not given is
 * null. Throws `workflow-inputs-invalid` that names every fault.
 */
export function resolveInputs(definition: WorkflowDefinition, given: JsonObject): JsonObject {
  const faults: string[] = []
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(definition.inputs, name)) {
      faults.push(`${name}: the workflow has no such input${didYouMean(name, Object.keys(definition.inputs))}`)
    }
  }
  const values = Object.entries(definition.inputs).map(([name, input]): [string, JsonValue] => {
    const value = Object.hasOwn(given, name) ? given[name] : undefined
    if (value !== undefined && value !== null) {
      const fault = faultOf(input, value)
      if (fault !== null) faults.push(`${name}: ${fault}`)
      return [name, value]
    }
    if (input.default === undefined && input.required !== false)
      faults.push(`${name}: missing (expected a ${input.type})`)
    return [name, input.default ?? null]
  })
  if (faults.length > 0) {
    throw workflowErrors['workflow-inputs-invalid'](`${definition.name}: ${faults.join('; ')}`, { details: { faults } })
  }
  return Object.fromEntries(values)
}

/** Texts from a command line (`--input name=value`) as the types that the workflow declares; unknown names stay texts. */
export function readInputTexts(definition: WorkflowDefinition, texts: Readonly<Record<string, string>>): JsonObject {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => {
      const input = Object.hasOwn(definition.inputs, name) ? definition.inputs[name] : undefined
      return [name, input === undefined ? text : readText(input, text)]
    }),
  )
}

function readText(input: WorkflowInput, text: string): JsonValue {
  if (input.type === 'string') return text
  if (input.type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  if (input.type === 'number') return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    // Plain words are what people type for a JSON string.
    return text
  }
}

function faultOf(input: WorkflowInput, value: JsonValue): string | null {
  const shown = JSON.stringify(value).slice(0, 80)
  if (!fitsType(value, input.type)) return `found ${shown} (expected a ${input.type})`
  if (input.enum && !input.enum.includes(value as string))
    return `found ${shown} (expected one of ${input.enum.join(', ')})`
  return null
}
