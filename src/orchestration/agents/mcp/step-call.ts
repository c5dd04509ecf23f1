import type { JsonObject, JsonValue } from '../../../foundation/kernel/json.ts'
import type { McpSettings } from '../../../foundation/platform/config/tool-settings.ts'
import { sessionErrors } from '../sessions/session-errors.ts'
import { argumentsOf, type KnownTool } from './check-call.ts'

/** Keys of `config` that say which tool; all others are arguments. */
const own: ReadonlySet<string> = new Set(['tool', 'argument', 'arguments'])

/** The tool that a step means: the one it names, that of the pool, or the only one there is. @throws agent-refused */
export function toolOf<T extends KnownTool>(
  { tool: usual }: McpSettings,
  config: Readonly<Record<string, string>>,
  tools: readonly T[],
): T {
  const name = config.tool ?? usual
  const known = tools.map((tool) => tool.name)
  if (name === null && tools.length === 1) return tools[0]!
  const tool = tools.find((each) => each.name === name)
  if (tool !== undefined) return tool
  const offer = known.length === 0 ? 'it has none' : `it has: ${known.join(', ').slice(0, 1_000)}`
  throw sessionErrors['agent-refused'](
    name === null ? `no tool is named (\`config.tool\` of the step); ${offer}` : `it has no tool ${name}; ${offer}`,
  )
}

/**
 * The arguments of a call: those of `config` by their names, `config.arguments` as JSON, and the prompt as the argument
 * that is to take it. Without any other argument the prompt is taken by one called `prompt`, or by the only text that the
 * tool requires. @throws agent-refused
 */
export function argumentsFor(
  { argument: usual }: McpSettings,
  config: Readonly<Record<string, string>>,
  tool: KnownTool,
  prompt: string,
): JsonObject {
  const declared = argumentsOf(tool)
  const given = Object.entries(config).filter(([name]) => !own.has(name))
  const args: Record<string, JsonValue> = { ...wholeOf(config.arguments) }
  for (const [name, text] of given) args[name] = typed(name, text, declared?.get(name)?.type)
  const taker = config.argument ?? usual ?? (Object.keys(args).length === 0 ? takerOf(tool, declared) : null)
  if (taker !== null && !Object.hasOwn(args, taker)) args[taker] = prompt
  return args
}

function takerOf(tool: KnownTool, declared: ReturnType<typeof argumentsOf>): string | null {
  if (declared === null || declared.has('prompt')) return 'prompt'
  const { required } = tool.inputSchema
  const texts = Array.isArray(required) ? required.filter((name) => declared.get(name)?.type === 'string') : []
  return texts.length === 1 ? (texts[0] as string) : null
}

function wholeOf(text: string | undefined): JsonObject {
  if (text === undefined) return {}
  const value = jsonOf('arguments', text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw sessionErrors['agent-refused']('`config.arguments` is no JSON object')
}

/** Entries of `config` are texts; what the tool wants otherwise is read as JSON. */
function typed(name: string, text: string, type: unknown): JsonValue {
  return type === 'string' || type === undefined ? text : jsonOf(name, text)
}

function jsonOf(name: string, text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    throw sessionErrors['agent-refused'](`\`config.${name}\` is no JSON`)
  }
}
