import type { JsonObject } from '../../../../foundation/kernel/json.ts'
import { z } from '../../../../foundation/kernel/schema.ts'
import type { ToolKind } from '../../../../foundation/platform/config/agent-kinds.ts'
import { llmErrors } from '../llm-errors.ts'
import type { Tool } from './tool.ts'

/** A tool whose arguments are checked by the schema that the model is shown. */
export function defineTool<S extends z.ZodType>(definition: {
  readonly name: string
  readonly kind: ToolKind | null
  readonly description: string
  readonly input: S
  title(input: z.output<S>): string
  call(input: z.output<S>): Promise<string>
}): Tool {
  const { name, kind, description, input: schema } = definition
  const { $schema: _, ...input } = z.toJSONSchema(schema, { io: 'input' })
  const parse = (given: JsonObject) => {
    const parsed = schema.safeParse(given)
    if (parsed.success) return parsed.data
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'arguments'}: ${message}`)
    throw llmErrors['tool-input-invalid'](problems.join('; '))
  }
  return {
    ...{ name, kind, description, input: input as JsonObject },
    title: (given) => definition.title(parse(given)),
    call: async (given) => definition.call(parse(given)),
  }
}
