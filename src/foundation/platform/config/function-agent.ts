import { z } from '../../kernel/schema.ts'
import { sizeSchema } from './config-units.ts'

/** Settings of agents that are a module of the project, run in a thread of this process. */
export const functionAgentSchema = z.strictObject({
  /** TypeScript or JavaScript, from the root of the project; its default export is the function. */
  module: z
    .string()
    .min(1)
    .max(1_000)
    .regex(/\.(?:ts|mts|js|mjs)$/, 'expected a .ts, .mts, .js or .mjs file'),
  /** What its objects may take up. Default 256MB. */
  memory: sizeSchema.refine((bytes) => bytes >= 16 * 1_048_576, 'expected at least 16MB').optional(),
})

export interface FunctionAgentSettings {
  readonly kind: 'function'
  /** As the file has it. */
  readonly module: string
  readonly memoryBytes: number
}

export function shapeFunctionAgent(file: z.output<typeof functionAgentSchema>): FunctionAgentSettings {
  return { kind: 'function', module: file.module, memoryBytes: file.memory ?? 256 * 1_048_576 }
}
