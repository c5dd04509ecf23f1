import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import { ruleOfTool, type ToolServerSettings } from '../../../foundation/platform/config/tool-settings.ts'

/** A tool as its server tells it: what its schema says is only looked at. */
export interface KnownTool {
  readonly name: string
  readonly inputSchema: { readonly [key: string]: unknown }
}

/** Longer arguments fit no pattern: matching must end. */
const longestMatched = 10_000

/**
 * Whether a call may be made at all: null, or why not. Arguments that the tool does not declare are never passed on, and
 * those for which the pool has a pattern must match it.
 */
export function refusalOf(settings: ToolServerSettings, tool: KnownTool, args: JsonObject): string | null {
  const { rule, arguments: patterns } = ruleOfTool(settings, tool.name)
  if (rule === 'off') return `the pool does not allow ${tool.name} of ${settings.name}`
  const declared = argumentsOf(tool)
  const strange = declared === null ? [] : Object.keys(args).filter((name) => !declared.has(name))
  if (strange.length > 0) {
    const known = [...declared!.keys()].join(', ') || 'none'
    return `${tool.name} has no argument ${strange[0]!.slice(0, 100)}; it has: ${known.slice(0, 500)}`
  }
  for (const [name, pattern] of Object.entries(patterns)) {
    const value = args[name]
    const text = value === undefined ? '' : textOf(value)
    if (text.length > longestMatched || !new RegExp(pattern).test(text)) {
      return `the pool allows ${tool.name} only where ${name} matches ${pattern}`
    }
  }
  return null
}

/** Declared arguments with their schemas; null: any are taken. */
export function argumentsOf({ inputSchema }: KnownTool): ReadonlyMap<string, { readonly type?: unknown }> | null {
  const { properties, additionalProperties } = inputSchema
  if (additionalProperties !== undefined && additionalProperties !== false) return null
  return new Map(
    Object.entries(isObject(properties) ? properties : {}).map(([name, of]) => [name, isObject(of) ? of : {}]),
  )
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
