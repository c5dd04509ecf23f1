import type { TenantId } from '../../kernel/ids.ts'

/**
 * What a route asks for: `runs:read`, `approvals:write`; `public` needs no caller at all. The part `platform` is that of
 * whoever runs the installation, above all tenants.
 */
export type Permission = 'public' | `${string}:${'read' | 'write' | 'admin'}`

/** Who calls. */
export interface Principal {
  readonly id: string
  readonly tenant: TenantId
  /** Exact permissions, `runs:*` for all of a part, `*:read` for one right on all parts, or `*`; see `holds`. */
  readonly permissions: readonly string[]
  /** Each of these lists must allow it as well: the scopes of a key, the role of the member who owns it. */
  readonly within?: readonly (readonly string[])[]
  /** The key or token that was shown; null or missing for the token file of the data folder. */
  readonly key?: string | null
}

export function mayUse({ permissions, within = [] }: Principal, permission: Permission): boolean {
  if (permission === 'public') return true
  return holds(permissions, permission) && within.every((list) => holds(list, permission))
}

/** `*` and `*:read` do not reach the part `platform`: who owns a tenant does not own the others. */
export function holds(list: readonly string[], permission: string): boolean {
  const cut = permission.lastIndexOf(':')
  const part = permission.slice(0, cut)
  const right = permission.slice(cut + 1)
  const all = `${part}:*`
  const some = `*:${right}`
  const isAbove = part === 'platform'
  return list.some((held) => held === permission || held === all || (!isAbove && (held === '*' || held === some)))
}
