import { z } from '../../kernel/schema.ts'
import { type ToolPermission, toolPermissions } from './agent-kinds.ts'
import { durationSchema } from './config-units.ts'

const permission = z.enum(toolPermissions)
const toolName = z.string().min(1).max(200)
const pattern = z.string().min(1).max(1_000).refine(isPattern, 'expected a regular expression')

/** A rule alone, or one that holds only for calls whose arguments fit; any other call of the tool is refused. */
const toolRule = z.union([
  permission.transform((rule) => ({ rule, arguments: {} })),
  z.strictObject({ rule: permission, arguments: z.record(toolName, pattern) }),
])

/** How an MCP server is reached, and what may be called of it. */
const serverShape = {
  /** Program and arguments; it runs in the worktree, within the bounds of the pool. */
  command: z.array(z.string()).min(1, 'expected a program and its arguments').optional(),
  /** Address of a server that speaks Streamable HTTP. */
  url: z
    .string()
    .refine(
      (text) => /^https?:\/\//.test(text) && URL.canParse(text),
      'expected an address such as https://tools.example.org/mcp',
    )
    .optional(),
  headers: z.record(z.string().regex(/^[\w-]+$/), z.string()).optional(),
  /** The name of a secret of `secrets:`, sent as `authorization: Bearer`. */
  secret: z.string().optional(),
  /** Variables that its program gets besides the general ones. Their values may be secret. */
  env: z.array(z.string().regex(/^[A-Za-z_]\w*$/, 'expected the name of an environment variable')).optional(),
  /** The rule for its tools that `tools` does not name. */
  default: permission.optional(),
  /** Rules for its tools, by name. */
  tools: z.record(toolName, toolRule).optional(),
  /** How long a call may take. Default 5m. */
  timeout: durationSchema.optional(),
  /** Until it must have come up. Default 60s. */
  start: durationSchema.optional(),
}

/** `tools:` of a pool: MCP servers whose tools its agents are granted, by name. */
export const toolsSchema = z.record(
  z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, 'expected lower-case letters, digits and -'),
  z.strictObject(serverShape),
)
export type ToolsFile = z.output<typeof toolsSchema>

/** `mcp:` of a pool of the kind `mcp`: its server, and which of its tools does the tasks that name none. */
export const mcpSchema = z.strictObject({
  ...serverShape,
  tool: toolName.optional(),
  /** The argument that takes the prompt. */
  argument: toolName.optional(),
})
export type McpFile = z.output<typeof mcpSchema>

/** What holds for one tool. */
export interface ToolRule {
  readonly rule: ToolPermission
  /** Regular expressions that arguments must match, by their name. What is no text is matched as JSON. */
  readonly arguments: Readonly<Record<string, string>>
}

export interface ToolServerSettings {
  readonly name: string
  /** Null: it is reached by its address. */
  readonly argv: readonly string[] | null
  readonly url: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly secret: string | null
  readonly env: readonly string[]
  readonly usual: ToolPermission
  readonly tools: Readonly<Record<string, ToolRule>>
  readonly callMs: number
  readonly startMs: number
}

/** Settings of agents that are tools of an MCP server. */
export interface McpSettings {
  readonly kind: 'mcp'
  readonly server: ToolServerSettings
  readonly tool: string | null
  readonly argument: string | null
}

/** What an agent may call of its servers where their rules do not say: people decide. */
const usualForTools: ToolPermission = 'ask'
/** Steps name their tool themselves. */
const usualForSteps: ToolPermission = 'allow'

export function shapeTools(
  file: ToolsFile | undefined,
  complain: (place: readonly string[], text: string) => void,
): readonly ToolServerSettings[] {
  return Object.entries(file ?? {}).map(([name, server]) =>
    shapeServer(name, server, usualForTools, (field, text) => complain([name, ...field], text)),
  )
}

export function shapeMcp(
  pool: string,
  command: readonly string[] | undefined,
  file: McpFile | undefined,
  complain: (place: readonly string[], text: string) => void,
): McpSettings {
  const merged = command === undefined ? file : { ...file, command: [...command] }
  if (command !== undefined && file?.command !== undefined) complain(['mcp', 'command'], 'contradicts `command`')
  const place = (field: readonly string[], text: string) => complain(['mcp', ...field], text)
  return {
    kind: 'mcp',
    server: shapeServer(pool, merged ?? {}, usualForSteps, place),
    tool: file?.tool ?? null,
    argument: file?.argument ?? null,
  }
}

function shapeServer(
  name: string,
  file: ToolsFile[string],
  usual: ToolPermission,
  complain: (field: readonly string[], text: string) => void,
): ToolServerSettings {
  if ((file.command === undefined) === (file.url === undefined))
    complain([], 'expected either `command`, program and arguments of an MCP server, or `url`, its address')
  if (file.url === undefined && (file.headers !== undefined || file.secret !== undefined))
    complain(['headers'], '`headers` and `secret` are for servers with `url`')
  if (file.url !== undefined && file.env !== undefined) complain(['env'], '`env` is for servers with `command`')
  return {
    name,
    argv: file.command ?? null,
    url: file.url ?? null,
    headers: file.headers ?? {},
    secret: file.secret ?? null,
    env: file.env ?? [],
    usual: file.default ?? usual,
    tools: file.tools ?? {},
    callMs: file.timeout ?? 300_000,
    startMs: file.start ?? 60_000,
  }
}

/** The rule for one tool of a server. */
export function ruleOfTool({ usual, tools }: ToolServerSettings, tool: string): ToolRule {
  return Object.hasOwn(tools, tool) ? tools[tool]! : { rule: usual, arguments: {} }
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text).source !== ''
  } catch {
    return false
  }
}
