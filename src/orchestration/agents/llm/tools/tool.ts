import type { JsonObject } from '../../../../foundation/kernel/json.ts'
import type { ToolKind } from '../../../../foundation/platform/config/agent-kinds.ts'
import type { ToolDefinition } from '../conversation.ts'

/** Something that a model can have done. */
export interface Tool extends ToolDefinition {
  /** Null: it is decided elsewhere whether it may be used. */
  readonly kind: ToolKind | null
  /** One line for people: what this call would do. @throws tool-input-invalid */
  title(input: JsonObject): string
  /** What the model is told. @throws any AppError; its message goes to the model */
  call(input: JsonObject): Promise<string>
}
