import { asId, type TenantId } from '../../foundation/kernel/ids.ts'
import type { Authenticate } from '../../foundation/platform/http/bearer-token.ts'
import { httpErrors } from '../../foundation/platform/http/http-errors.ts'
import { mayUse, type Principal } from '../../foundation/platform/http/principal.ts'

/** Names the tenant that a caller above tenants acts for. */
export const tenantHeader = 'leanvibe-tenant'

/**
 * Lets who runs the installation act within any tenant, and nobody else: all others may at most name their own. `exists`
 * throws where there is no such tenant.
 */
export function actForTenants(authenticate: Authenticate, exists: (tenant: TenantId) => Promise<void>): Authenticate {
  const actAs = async (named: string | string[], principal: Principal): Promise<Principal> => {
    if (typeof named !== 'string' || !mayUse(principal, 'platform:admin')) {
      throw httpErrors.forbidden(`${principal.id} may act for its own tenant only`)
    }
    const tenant = asId<TenantId>(named)
    await exists(tenant)
    return { ...principal, tenant }
  }
  return (headers, origin) => {
    const named = headers[tenantHeader]
    const known = authenticate(headers, origin)
    if (named === undefined) return known
    const act = (principal: Principal | null) =>
      principal === null || named === principal.tenant ? principal : actAs(named, principal)
    return known instanceof Promise ? known.then(act) : act(known)
  }
}

/** The first of several that knows the caller. */
export function firstToKnow(...all: readonly Authenticate[]): Authenticate {
  const from = (n: number, ...asked: Parameters<Authenticate>): ReturnType<Authenticate> => {
    const known = all[n]?.(...asked) ?? null
    if (n + 1 >= all.length) return known
    if (known instanceof Promise) return known.then((principal) => principal ?? from(n + 1, ...asked))
    return known ?? from(n + 1, ...asked)
  }
  return (headers, origin) => from(0, headers, origin)
}
