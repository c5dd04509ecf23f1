import { type IdSource, systemIds, type TenantId } from '../../foundation/kernel/ids.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import { checkRevision, type ExpectedRevision } from '../../foundation/platform/http/preconditions.ts'
import type { Principal } from '../../foundation/platform/http/principal.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import { roleSchema } from '../../security/authz/roles-contract.ts'
import type { MemberGroupView } from './groups-contract.ts'
import {
  deleteGroupMember,
  deleteGroupRows,
  findGroup,
  findMemberId,
  type GroupFilter,
  type GroupRow,
  insertGroup,
  insertGroupMember,
  listGroupViews,
  lockGroup,
  lockGroupsOf,
  nextRevision,
} from './groups-store.ts'
import { lockMember } from './members-store.ts'
import { tenantErrors } from './tenants-errors.ts'

export interface GroupsServiceOptions {
  readonly database: Database
  readonly ids?: IdSource
}

/** Groups of the people of a tenant. What somebody may do does not follow from them: only whether he is meant. */
export class GroupsService {
  readonly #database: Database
  readonly #ids: IdSource

  constructor({ database, ids }: GroupsServiceOptions) {
    this.#database = database
    this.#ids = ids ?? systemIds
  }

  /** Errors: `group-exists`, `group-name-reserved`. */
  async create(by: Principal, name: string): Promise<MemberGroupView> {
    if (roleSchema.options.some((role) => role === name))
      throw tenantErrors['group-name-reserved'](`${name} is the name of a role`)
    const { tenant } = by
    return this.#database.forTenant(tenant).write(async (tx) => {
      const group: GroupRow = { id: this.#ids.next('grp'), name, rev: 1, createdAt: this.#database.clock.now() }
      if (!(await insertGroup(tx, tenant, group)))
        throw tenantErrors['group-exists'](`there is a group ${name} already`)
      await this.#record(tx, by, group, 'created')
      return (await findGroup(tx, tenant, name))!
    })
  }

  /** Errors: `group-not-found`. */
  async show(tenant: TenantId, name: string): Promise<MemberGroupView> {
    const found = await this.#database.forTenant(tenant).read((tx) => findGroup(tx, tenant, name))
    if (found === null) throw notFound(name)
    return found
  }

  async list(tenant: TenantId, filter: GroupFilter): Promise<readonly MemberGroupView[]> {
    return this.#database.forTenant(tenant).read(async (tx) => {
      if (filter.member === null) return listGroupViews(tx, tenant, filter)
      const member = await findMemberId(tx, tenant, filter.member)
      return member === null ? [] : listGroupViews(tx, tenant, { ...filter, member })
    })
  }

  /** Errors: `group-not-found`, `precondition-failed`. */
  async delete(by: Principal, name: string, expected: ExpectedRevision): Promise<MemberGroupView> {
    const { tenant } = by
    return this.#database.forTenant(tenant).write(async (tx) => {
      const group = await this.#lock(tx, tenant, name, expected)
      const last = (await findGroup(tx, tenant, name))!
      await deleteGroupRows(tx, tenant, group.id)
      await this.#record(tx, by, { ...group, rev: group.rev + 1 }, 'deleted')
      return last
    })
  }

  /** Errors: `group-not-found`, `member-not-found`, `precondition-failed`. */
  async add(by: Principal, name: string, member: string, expected: ExpectedRevision): Promise<MemberGroupView> {
    const { tenant } = by
    return this.#database.forTenant(tenant).write(async (tx) => {
      const id = await findMemberId(tx, tenant, member)
      // Whoever removes a member locks it first, too: it cannot go while it comes in here.
      if (id === null || (await lockMember(tx, tenant, id)).member === null) throw noMember(member)
      const group = await this.#lock(tx, tenant, name, expected)
      if (await insertGroupMember(tx, tenant, group.id, id, this.#database.clock.now()))
        await this.#change(tx, by, group, 'member-added', id)
      return (await findGroup(tx, tenant, name))!
    })
  }

  /** Errors: `group-not-found`, `member-not-found`, `precondition-failed`. */
  async remove(by: Principal, name: string, member: string, expected: ExpectedRevision): Promise<MemberGroupView> {
    const { tenant } = by
    return this.#database.forTenant(tenant).write(async (tx) => {
      const id = await findMemberId(tx, tenant, member)
      if (id === null) throw noMember(member)
      const group = await this.#lock(tx, tenant, name, expected)
      if (await deleteGroupMember(tx, tenant, group.id, id)) await this.#change(tx, by, group, 'member-removed', id)
      return (await findGroup(tx, tenant, name))!
    })
  }

  /** Takes a member that leaves the tenant out of all groups, within the transaction that has locked it. */
  async forget(tx: Tx, by: Principal, member: string): Promise<void> {
    for (const group of await lockGroupsOf(tx, by.tenant, member)) {
      await deleteGroupMember(tx, by.tenant, group.id, member)
      await this.#change(tx, by, group, 'member-removed', member)
    }
  }

  async #lock(tx: Tx, tenant: TenantId, name: string, expected: ExpectedRevision): Promise<GroupRow> {
    const group = await lockGroup(tx, tenant, name)
    if (group === null) throw notFound(name)
    checkRevision(expected, group.rev)
    return group
  }

  async #change(tx: Tx, by: Principal, group: GroupRow, what: string, member: string): Promise<void> {
    await nextRevision(tx, by.tenant, group.id)
    await this.#record(tx, by, { ...group, rev: group.rev + 1 }, what, member)
  }

  #record(tx: Tx, by: Principal, { id, rev, name }: GroupRow, what: string, member?: string): Promise<void> {
    const event = { tenant: by.tenant, type: `group.${what}`, subject: { kind: 'group', id, rev }, runId: null }
    const data = { name, by: by.id, ...(member === undefined ? {} : { member }) }
    return appendEvents(tx, [{ ...event, at: this.#database.clock.now(), data }])
  }
}

function notFound(name: string) {
  return tenantErrors['group-not-found'](`there is no group ${name}`)
}

function noMember(name: string) {
  return tenantErrors['member-not-found'](`there is no member ${name}`)
}
