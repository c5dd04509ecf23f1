import { asId, type TenantId } from '../../foundation/kernel/ids.ts'
import { transition } from '../../foundation/kernel/state-table.ts'
import type { Database, Tx } from '../../foundation/platform/database/database.ts'
import type { PagePlace } from '../../foundation/platform/http/page.ts'
import { checkRevision, type ExpectedRevision } from '../../foundation/platform/http/preconditions.ts'
import type { Principal } from '../../foundation/platform/http/principal.ts'
import { appendEvents } from '../../foundation/runtime/event-log.ts'
import type { NewKeyView } from '../../security/authn/keys-contract.ts'
import { settleTenant } from './settle-tenants.ts'
import { type TenantEvent, type TenantState, tenantStates } from './tenant-states-contract.ts'
import type { TenantWork } from './tenant-work.ts'
import type { TenantView } from './tenants-contract.ts'
import { tenantErrors } from './tenants-errors.ts'
import {
  findTenant,
  insertTenant,
  listTenantRows,
  lockTenant,
  setTenantState,
  type TenantRow,
  toTenantView,
} from './tenants-store.ts'

export interface TenantsServiceOptions {
  readonly database: Database
  /** Makes the key of the first owner within the transaction; the part `authn` provides it. */
  readonly createOwnerKey: (tx: Tx, tenant: TenantId, by: string) => Promise<NewKeyView>
  readonly work: TenantWork
  /** Tells every process that rights have changed. */
  readonly onChange: () => void
}

const home = 'default'

/** The life of tenants. All of it is above tenants: only who runs the installation gets here. */
export class TenantsService {
  readonly #database: Database
  readonly #options: TenantsServiceOptions

  constructor(options: TenantsServiceOptions) {
    this.#database = options.database
    this.#options = options
  }

  /** Errors: `tenant-exists`. */
  async create(by: Principal, wanted: { readonly id: string; readonly name?: string | undefined }) {
    const id = asId<TenantId>(wanted.id)
    return this.#system().write(async (tx) => {
      const now = this.#database.clock.now()
      if (!(await insertTenant(tx, id, wanted.name ?? wanted.id, now)))
        throw tenantErrors['tenant-exists'](`there is a tenant ${id} already, or there was one`)
      const tenant = (await findTenant(tx, id))!
      await this.#record(tx, tenant, 'tenant.created', by)
      return { tenant: toTenantView(tenant), ownerKey: await this.#options.createOwnerKey(tx, id, by.id) }
    })
  }

  /** Errors: `tenant-not-found`. */
  async show(id: string): Promise<TenantView> {
    const row = await this.#system().read((tx) => findTenant(tx, id))
    if (row === null) throw notFound(id)
    return toTenantView(row)
  }

  async list(filter: {
    readonly state: TenantState | undefined
    readonly before: PagePlace | null
    readonly limit: number
  }): Promise<TenantView[]> {
    return (await this.#system().read((tx) => listTenantRows(tx, filter))).map(toTenantView)
  }

  /** Errors: `tenant-not-found`, `tenant-default`, `illegal-transition`, `precondition-failed`. */
  async suspend(by: Principal, id: string, reason: string | null, expected: ExpectedRevision): Promise<TenantView> {
    const tenant = await this.#move(by, id, 'suspend', reason, expected)
    await settleTenant(this.#options, tenant)
    return toTenantView(tenant)
  }

  /** Errors: as for `suspend`. */
  async resume(by: Principal, id: string, expected: ExpectedRevision): Promise<TenantView> {
    const tenant = await this.#move(by, id, 'resume', null, expected)
    await settleTenant(this.#options, tenant)
    return toTenantView(tenant)
  }

  /** The rest happens in the background; see purge-tenants.ts. Errors: as for `suspend`. */
  async delete(by: Principal, id: string, reason: string | null, expected: ExpectedRevision): Promise<TenantView> {
    return toTenantView(await this.#move(by, id, 'delete', reason, expected))
  }

  async #move(
    by: Principal,
    id: string,
    event: Exclude<TenantEvent, 'purged'>,
    reason: string | null,
    expected: ExpectedRevision,
  ): Promise<TenantRow> {
    if (id === home) throw tenantErrors['tenant-default'](`the tenant ${home} stays as it is`)
    const moved = await this.#system().write(async (tx) => {
      const tenant = await lockTenant(tx, id)
      if (tenant === null) throw notFound(id)
      checkRevision(expected, tenant.rev)
      const state = transition(tenantStates, `tenant ${id}`, tenant.state, event)
      const now = this.#database.clock.now()
      await setTenantState(tx, tenant.id, { state, reason, now })
      const changed = { ...tenant, state, reason, rev: tenant.rev + 1, changedAt: now }
      await this.#record(tx, changed, `tenant.${happened[event]}`, by)
      return changed
    })
    this.#options.onChange()
    return moved
  }

  #system() {
    return this.#database.asSystem('tenants')
  }

  #record(tx: Tx, { id, rev, state, reason }: TenantRow, type: string, by: Principal): Promise<void> {
    const event = { tenant: id, type, subject: { kind: 'tenant', id, rev }, runId: null }
    return appendEvents(tx, [{ ...event, at: this.#database.clock.now(), data: { state, reason, by: by.id } }])
  }
}

const happened = { suspend: 'suspended', resume: 'resumed', delete: 'deletion-begun' } as const

function notFound(id: string) {
  return tenantErrors['tenant-not-found'](`there is no tenant ${id}`)
}
