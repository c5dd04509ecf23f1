import type { TenantId } from '../../kernel/ids.ts'

/** What a route asks for: `runs:read`, `approvals:write`; `public` needs no caller at all. */
export type Permission = 'public' | `${string}:${'read' | 'write' | 'admin'}`

/** Who calls. */
export interface Principal {
  readonly id: string
  readonly tenant: TenantId
  /** Exact permissions, `runs:*` for all of a part, or `*`. */
  readonly permissions: readonly string[]
}

export function mayUse(principal: Principal, permission: Permission): boolean {
  if (permission === 'public') return true
  const part = permission.slice(0, permission.indexOf(':'))
  return principal.permissions.some((held) => held === permission || held === `${part}:*` || held === '*')
}
