import { asId, type TenantId } from '../../foundation/kernel/ids.ts'
import type { Authenticate } from '../../foundation/platform/http/bearer-token.ts'
import { httpErrors } from '../../foundation/platform/http/http-errors.ts'
import { mayUse } from '../../foundation/platform/http/principal.ts'

/** Names the tenant that a caller above tenants acts for. */
export const tenantHeader = 'leanvibe-tenant'

/**
 * Lets who runs the installation act within any tenant, and nobody else: all others may at most name their own. `exists`
 * throws where there is no such tenant.
 */
export function actForTenants(authenticate: Authenticate, exists: (tenant: TenantId) => Promise<void>): Authenticate {
  return async (headers, origin) => {
    const principal = await authenticate(headers, origin)
    const named = headers[tenantHeader]
    if (principal === null || named === undefined || named === principal.tenant) return principal
    if (typeof named !== 'string' || !mayUse(principal, 'platform:admin')) {
      throw httpErrors.forbidden(`${principal.id} may act for its own tenant only`)
    }
    const tenant = asId<TenantId>(named)
    await exists(tenant)
    return { ...principal, tenant }
  }
}

/** The first of several that knows the caller. */
export function firstToKnow(...all: readonly Authenticate[]): Authenticate {
  return async (headers, origin) => {
    for (const authenticate of all) {
      const principal = await authenticate(headers, origin)
      if (principal !== null) return principal
    }
    return null
  }
}
