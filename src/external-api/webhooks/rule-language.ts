import type { JsonObject, JsonValue } from '../../foundation/kernel/json.ts'

/**
 * The expressions of rules and filters (CEL, bounded and without I/O); `app/` provides the one that workflows use.
 * All throw an AppError of kind `input`.
 */
export interface RuleLanguage {
  /** Refuses a condition that cannot be read or names anything but `names`. */
  checkCondition(source: string, names: readonly string[]): void
  /** Refuses `${{ }}` in the strings of a value in the same way. */
  checkTemplates(value: JsonValue, names: readonly string[]): void
  /** The value of a condition, which must be true or false. */
  condition(source: string, context: JsonObject): boolean
  /** Fills the `${{ }}` in every string; one that stands alone keeps its type. */
  fill(value: JsonValue, context: JsonObject): JsonValue
}
