import { z } from '../../kernel/schema.ts'
import { durationSchema, sizeSchema } from './config-units.ts'

/** What a model may be given to work with. */
export const llmTools = ['read', 'write', 'edit', 'list', 'search', 'run', 'ask'] as const
export type LlmTool = (typeof llmTools)[number]

/** Settings of agents that are a model with tools, called through the gateway. */
export const llmAgentSchema = z.strictObject({
  /** A name that the gateway knows. */
  model: z.string().min(1).max(200),
  /** The form in which it is asked: OpenAI's chat or Anthropic's messages. Default openai. */
  wire: z.enum(['openai', 'anthropic']).optional(),
  /** Goes before the task. */
  system: z.string().max(100_000).optional(),
  /** Default: all. */
  tools: z.array(z.enum(llmTools)).optional(),
  /** Answers of the model, at most. Default 50. */
  turns: z.int().min(1).max(1_000).optional(),
  /** Tokens in all, read and written. Default 2,000,000. */
  tokens: z.int().min(1_000).max(1_000_000_000).optional(),
  /** US$; beside the budgets of step, run and tenant. Default: those alone. */
  budget: z.number().positive().max(1_000_000).optional(),
  /** Elapsed time, beside the timeout of the step. */
  wall: durationSchema.optional(),
  /** Bytes of what one call of a tool gives back. Default 32KB. */
  output: sizeSchema.optional(),
  /** How long one command may take. Default 2m. */
  command: durationSchema.optional(),
  /** Tokens of one answer. Default 8,192. */
  answer: z.int().min(256).max(1_000_000).optional(),
  /** Tokens that the model can have before it. Default 128,000. */
  context: z.int().min(2_000).max(100_000_000).optional(),
})

export interface LlmAgentSettings {
  readonly kind: 'llm'
  readonly model: string
  readonly wire: 'openai' | 'anthropic'
  readonly system: string | null
  readonly tools: readonly LlmTool[]
  readonly turns: number
  readonly tokens: number
  readonly budgetMicroUsd: number | null
  readonly wallMs: number | null
  readonly outputBytes: number
  readonly commandMs: number
  readonly answerTokens: number
  readonly contextTokens: number
}

export function shapeLlmAgent(file: z.output<typeof llmAgentSchema>): LlmAgentSettings {
  return {
    kind: 'llm',
    model: file.model,
    wire: file.wire ?? 'openai',
    system: file.system ?? null,
    tools: file.tools ?? llmTools,
    turns: file.turns ?? 50,
    tokens: file.tokens ?? 2_000_000,
    budgetMicroUsd: file.budget === undefined ? null : Math.floor(file.budget * 1_000_000),
    wallMs: file.wall ?? null,
    outputBytes: file.output ?? 32_768,
    commandMs: file.command ?? 120_000,
    answerTokens: file.answer ?? 8_192,
    contextTokens: file.context ?? 128_000,
  }
}
