import { z } from '../../kernel/schema.ts'
import type { Confinement } from '../processes/confinement/confinement.ts'

/** What agents can be. `command` starts a program for each task; the others are talked to. */
export const agentKinds = [
  'command',
  'acp',
  'http',
  'llm',
  'function',
  'a2a',
  'mcp',
  'container',
  'kubernetes',
] as const
export type AgentKind = (typeof agentKinds)[number]

/** What tools do, in the words of the Agent Client Protocol. */
export const toolKinds = [
  'read',
  'search',
  'think',
  'edit',
  'move',
  'delete',
  'execute',
  'fetch',
  'switch_mode',
  'other',
] as const
export type ToolKind = (typeof toolKinds)[number]

/** `ask`: people decide, each time. `off`: never. */
export const toolPermissions = ['allow', 'ask', 'off'] as const
export type ToolPermission = (typeof toolPermissions)[number]

export interface ToolPermissions {
  readonly kinds: Readonly<Record<ToolKind, ToolPermission>>
  /** By the name of the tool; goes before its kind. */
  readonly tools: Readonly<Record<string, ToolPermission>>
}

/** Inside the worktree an agent may do its work; what reaches further is asked for. */
export const defaultPermissions: ToolPermissions = {
  kinds: {
    ...{ read: 'allow', search: 'allow', think: 'allow', edit: 'allow', move: 'allow', delete: 'allow' },
    ...{ execute: 'ask', fetch: 'ask', switch_mode: 'off', other: 'ask' },
  },
  tools: {},
}

const permission = z.enum(toolPermissions)

export const permissionsSchema = z.strictObject({
  ...Object.fromEntries(toolKinds.map((kind) => [kind, permission.optional()])),
  /** Tools by name. */
  tools: z.record(z.string().min(1).max(200), permission).optional(),
} as Record<ToolKind, z.ZodOptional<typeof permission>> & {
  tools: z.ZodOptional<z.ZodRecord<z.ZodString, typeof permission>>
})
export type PermissionsFile = z.output<typeof permissionsSchema>

export const confineSchema = z.strictObject({
  mode: z.enum(['off', 'auto', 'required']).optional(),
  /** `off`: no network at all, not even other programs of this machine. `models`: the model gateway alone. */
  network: z.enum(['open', 'models', 'off']).optional(),
  /** Paths that may be read or written besides the worktree; `~` is the home folder. */
  read: z.array(z.string().min(1)).optional(),
  write: z.array(z.string().min(1)).optional(),
})
export type ConfineFile = z.output<typeof confineSchema>

export function shapePermissions(file: PermissionsFile | undefined, base = defaultPermissions): ToolPermissions {
  const { tools = {}, ...kinds } = file ?? {}
  const said = Object.entries(kinds).filter(([, rule]) => rule !== undefined)
  return { kinds: { ...base.kinds, ...Object.fromEntries(said) }, tools: { ...base.tools, ...tools } }
}

/** @param usual what holds where the pool does not say */
export function shapeConfinement(file: ConfineFile | undefined, usual: Confinement['mode']): Confinement {
  return {
    mode: file?.mode ?? usual,
    network: file?.network ?? 'open',
    read: file?.read ?? [],
    write: file?.write ?? [],
  }
}

/** The rules with absolute paths: `~` is the home folder, what is relative begins at the root of the project. */
export function placeConfinement(
  rules: Confinement,
  resolve: (path: string) => string,
  home: string | null,
): Confinement {
  const place = (path: string) => resolve(home === null ? path : path.replace(/^~(?=\/|$)/, home))
  return { ...rules, read: rules.read.map(place), write: rules.write.map(place) }
}
