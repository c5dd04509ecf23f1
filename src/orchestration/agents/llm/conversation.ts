import type { JsonObject } from '../../../foundation/kernel/json.ts'

/** A call of a tool, as a model makes it. */
export interface ToolCall {
  readonly id: string
  readonly name: string
  /** Null: what it gave as arguments is no JSON object. */
  readonly input: JsonObject | null
}

export interface ToolResult {
  readonly id: string
  readonly text: string
  readonly failed: boolean
}

/** What was said so far, in no provider's form. */
export type Message =
  | { readonly role: 'user'; readonly text: string }
  | { readonly role: 'assistant'; readonly text: string; readonly calls: readonly ToolCall[] }
  | { readonly role: 'tools'; readonly results: readonly ToolResult[] }

export interface ToolDefinition {
  readonly name: string
  readonly description: string
  /** JSON Schema of the arguments. */
  readonly input: JsonObject
}

export interface ModelRequest {
  readonly model: string
  readonly system: string
  readonly messages: readonly Message[]
  readonly tools: readonly ToolDefinition[]
  /** Of the answer. */
  readonly mostTokens: number
}

/** Tokens of one answer. Input does not count what came from a cache. */
export interface ModelUsage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens: number
  readonly cacheWriteTokens: number
}

export interface ModelAnswer {
  readonly text: string
  readonly calls: readonly ToolCall[]
  /** `length`: the limit of the answer has cut it. */
  readonly stop: 'done' | 'length' | 'refused'
  /** The model that answered. */
  readonly model: string
  readonly usage: ModelUsage
}

export const noModelUsage: ModelUsage = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }

/** Tokens that the model had before it when it had answered: what the next request begins with. */
export function contextOf({ inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens }: ModelUsage): number {
  return inputTokens + outputTokens + cacheReadTokens + cacheWriteTokens
}

export function sumOf(a: ModelUsage, b: ModelUsage): ModelUsage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
    cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
  }
}
