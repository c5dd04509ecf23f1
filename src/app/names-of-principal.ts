import { groupsOfMember } from '../enterprise/tenants/groups-store.ts'
import { findMember } from '../enterprise/tenants/members-store.ts'
import type { TenantId } from '../foundation/kernel/ids.ts'
import type { ReadTx } from '../foundation/platform/database/database.ts'
import type { KnownAs } from '../orchestration/approvals/approval-votes-contract.ts'
import { findKey } from '../security/authn/keys-store.ts'

/** Whom the token file of the data folder stands for. */
const localOwner = 'owner'

/** By what else people may be named than by their id: the role, the groups and the address of a member. */
export async function namesOfPrincipal(tx: ReadTx, tenant: TenantId, id: string): Promise<KnownAs> {
  if (id === localOwner) return { roles: ['owner'] }
  const member = await findMember(tx, tenant, id)
  if (member !== null) {
    const groups = await groupsOfMember(tx, tenant, id)
    return { names: member.email === null ? [] : [member.email], roles: [member.role], groups }
  }
  const key = await findKey(tx, tenant, id)
  return key === null ? {} : { roles: [key.role] }
}
