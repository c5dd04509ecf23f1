import { type IdSource, systemIds, type TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, ReadTx, Tx } from '../../foundation/platform/database/database.ts'
import type { PagePlace } from '../../foundation/platform/http/page.ts'
import { checkRevision, type ExpectedRevision } from '../../foundation/platform/http/preconditions.ts'
import type { Principal } from '../../foundation/platform/http/principal.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import { firstBeyond, permissionsOfRole, type Role } from '../../security/authz/roles-contract.ts'
import type { MemberView } from './members-contract.ts'
import {
  deleteMember,
  findMember,
  insertMember,
  listMemberRows,
  lockMember,
  type MemberRow,
  toMemberView,
  updateMember,
} from './members-store.ts'
import { tenantErrors } from './tenants-errors.ts'

export interface MembersServiceOptions {
  readonly database: Database
  /** Ends the keys of a member within the transaction; the part `authn` provides it. */
  readonly revokeKeys: (tx: Tx, tenant: TenantId, memberId: string) => Promise<void>
  /** Takes a member that leaves out of all groups, within the transaction. */
  readonly leaveGroups: (tx: Tx, by: Principal, memberId: string) => Promise<void>
  /** Tells every process that rights have changed. */
  readonly onChange: () => void
  readonly ids?: IdSource
}

/** The people of a tenant and their roles. */
export class MembersService {
  readonly #database: Database
  readonly #options: MembersServiceOptions
  readonly #ids: IdSource

  constructor(options: MembersServiceOptions) {
    this.#database = options.database
    this.#options = options
    this.#ids = options.ids ?? systemIds
  }

  /** Errors: `member-exists`, `member-beyond-giver`. */
  async add(by: Principal, wanted: { name: string; email?: string | undefined; role: Role }): Promise<MemberView> {
    assertMayGive(by, wanted.role)
    const { tenant } = by
    return this.#database.forTenant(tenant).write(async (tx) => {
      const member: MemberRow = {
        id: this.#ids.next('mem'),
        name: wanted.name,
        email: wanted.email ?? null,
        role: wanted.role,
        rev: 1,
        createdAt: this.#database.clock.now(),
      }
      if (!(await insertMember(tx, tenant, member)))
        throw tenantErrors['member-exists'](`a member has the address ${member.email} already`)
      await this.#record(tx, by, member, 'member.added')
      return toMemberView(member)
    })
  }

  async show(tenant: TenantId, id: string): Promise<MemberView> {
    const row = await this.#database.forTenant(tenant).read((tx) => findMember(tx, tenant, id))
    if (row === null) throw notFound(id)
    return toMemberView(row)
  }

  async list(
    tenant: TenantId,
    filter: { readonly role: Role | undefined; readonly before: PagePlace | null; readonly limit: number },
  ): Promise<MemberView[]> {
    const rows = await this.#database.forTenant(tenant).read((tx) => listMemberRows(tx, tenant, filter))
    return rows.map(toMemberView)
  }

  /** Errors: `member-not-found`, `precondition-failed`, `member-beyond-giver`, `last-owner`. */
  async change(
    by: Principal,
    id: string,
    { name, role }: { readonly name?: string | undefined; readonly role?: Role | undefined },
    expected: ExpectedRevision,
  ): Promise<MemberView> {
    const { tenant } = by
    return this.#database.forTenant(tenant).write(async (tx) => {
      const { member, owners } = await lockMember(tx, tenant, id)
      if (member === null) throw notFound(id)
      checkRevision(expected, member.rev)
      if (role !== undefined && role !== member.role) {
        assertMayGive(by, role)
        assertMayGive(by, member.role)
        if (member.role === 'owner' && owners === 1) throw lastOwner(id)
      }
      const changed = { ...member, name: name ?? member.name, role: role ?? member.role, rev: member.rev + 1 }
      await updateMember(tx, tenant, changed)
      await this.#record(tx, by, changed, 'member.changed')
      tx.afterCommit(() => this.#options.onChange())
      return toMemberView(changed)
    })
  }

  /** Errors: `member-not-found`, `precondition-failed`, `member-beyond-giver`, `last-owner`. */
  async remove(by: Principal, id: string, expected: ExpectedRevision): Promise<MemberView> {
    const { tenant } = by
    return this.#database.forTenant(tenant).write(async (tx) => {
      const { member, owners } = await lockMember(tx, tenant, id)
      if (member === null) throw notFound(id)
      checkRevision(expected, member.rev)
      assertMayGive(by, member.role)
      if (member.role === 'owner' && owners === 1) throw lastOwner(id)
      await this.#options.leaveGroups(tx, by, id)
      await deleteMember(tx, tenant, id)
      await this.#options.revokeKeys(tx, tenant, id)
      await this.#record(tx, by, { ...member, rev: member.rev + 1 }, 'member.removed')
      tx.afterCommit(() => this.#options.onChange())
      return toMemberView(member)
    })
  }

  /** Throws `member-not-found`. */
  async assertMember(tx: ReadTx, tenant: TenantId, id: string): Promise<void> {
    if ((await findMember(tx, tenant, id)) === null) throw notFound(id)
  }

  #record(tx: Tx, by: Principal, { id, rev, name, role }: MemberRow, type: string): Promise<void> {
    const event = { tenant: by.tenant, type, subject: { kind: 'member', id, rev }, runId: null }
    return appendEvents(tx, [{ ...event, at: this.#database.clock.now(), data: { name, role, by: by.id } }])
  }
}

/** Nobody gives or takes a role that allows more than his own. */
function assertMayGive(by: Principal, role: Role): void {
  if (firstBeyond(by, permissionsOfRole[role]) === null) return
  throw tenantErrors['member-beyond-giver'](`${by.id} may not give or take the role ${role}`)
}

function notFound(id: string) {
  return tenantErrors['member-not-found'](`there is no member ${id}`)
}

function lastOwner(id: string) {
  return tenantErrors['last-owner'](`${id} is the last owner`)
}
