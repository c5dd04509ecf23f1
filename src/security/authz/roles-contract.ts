import { z } from 'zod'

export const roleSchema = z.enum(['owner', 'admin', 'operator', 'viewer', 'agent'])
export type Role = z.infer<typeof roleSchema>

/**
 * What each role may do, as patterns of permissions. None reaches the part `platform`, which is above tenants. A part that
 * brings a new permission fits in by its right: reading is for all people, writing for admins, `admin` for owners.
 */
export const permissionsOfRole: Readonly<Record<Role, readonly string[]>> = {
  /** All of the tenant, and alone: other owners. */
  owner: ['*'],
  /** All but what is kept for owners; keys and members up to their own role. */
  admin: ['*:read', '*:write', 'keys:admin', 'members:admin', 'runners:admin', 'models:admin'],
  /** The daily work: runs and what belongs to them. */
  operator: [
    ...['*:read', 'runs:write', 'approvals:write', 'checkpoints:write', 'workflows:write', 'schedules:write'],
    ...['artifacts:write', 'agents:write', 'events:write', 'models:write', 'services:write'],
  ],
  viewer: ['*:read'],
  /** A program at work within a run. */
  agent: [
    ...['runs:read', 'events:read', 'artifacts:read', 'artifacts:write', 'checkpoints:read', 'checkpoints:write'],
    ...['approvals:read', 'workflows:read', 'models:read', 'models:write', 'services:read', 'services:write'],
  ],
}

/** What a runner's token may do: fetch work and report on it. */
export const runnerPermissions: readonly string[] = ['runners:write', 'artifacts:read', 'artifacts:write']

/** `part:right`, `part:*`, `*:right` or `*`. */
export const permissionPatternSchema = z
  .string()
  .regex(/^(\*|(\*|[a-z][a-z0-9-]{0,40}):(\*|read|write|admin))$/, 'expected part:read, part:*, *:read or *')

/** Whether everything that `pattern` allows is allowed by `list` as well. */
export function covers(list: readonly string[], pattern: string): boolean {
  const [part = '', right = '*'] = pattern.split(':')
  return list.some((held) => {
    if (held === pattern || held === '*') return held === pattern || part !== 'platform'
    const [heldPart = '', heldRight = '*'] = held.split(':')
    const partFits = heldPart === part || (heldPart === '*' && part !== 'platform')
    return partFits && (heldRight === right || heldRight === '*')
  })
}

/** Who gives something away: what it may do itself. */
export interface Giver {
  readonly permissions: readonly string[]
  readonly within?: readonly (readonly string[])[]
}

/** Nobody gives away more than he has: of `patterns`, the first that allows something the giver may not do; else null. */
export function firstBeyond({ permissions, within = [] }: Giver, patterns: readonly string[]): string | null {
  return patterns.find((pattern) => ![permissions, ...within].every((list) => covers(list, pattern))) ?? null
}
