import { findMember } from '../enterprise/tenants/members-store.ts'
import type { TenantId } from '../foundation/kernel/ids.ts'
import type { ReadTx } from '../foundation/platform/database/database.ts'
import { findKey } from '../security/authn/keys-store.ts'

/** Whom the token file of the data folder stands for. */
const localOwner = 'owner'

/** By what else people may be named than by their id: the role, and the address of a member. */
export async function namesOfPrincipal(tx: ReadTx, tenant: TenantId, id: string): Promise<readonly string[]> {
  if (id === localOwner) return ['owner']
  const member = await findMember(tx, tenant, id)
  if (member !== null) return [member.role, ...(member.email === null ? [] : [member.email])]
  const key = await findKey(tx, tenant, id)
  return key === null ? [] : [key.role]
}
