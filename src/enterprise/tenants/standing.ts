import type { TenantId } from '../../foundation/kernel/ids.ts'
import type { ReadTx } from '../../foundation/platform/database/database.ts'
import type { Standing } from '../../security/authn/authenticator.ts'
import { findMember } from './members-store.ts'
import { findTenant } from './tenants-store.ts'

/** Whether a key's owner may come in, in the system scope in which the key was found. */
export async function standingOf(tx: ReadTx, tenant: TenantId, memberId: string | null): Promise<Standing> {
  const found = await findTenant(tx, tenant)
  const member = memberId === null ? null : await findMember(tx, tenant, memberId)
  return { tenantState: found?.state ?? null, memberRole: member?.role ?? null }
}
